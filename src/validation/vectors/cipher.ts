/** A published example of a MAC; hexadecimal. */
export interface MacVector {
  readonly name: string;
  readonly key: string;
  readonly message: string;
  readonly mac: string;
}

const CMAC_KEY = '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4';
const CMAC_MESSAGE =
  '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52ef' +
  'f69f2445df4f9b17ad2b417be66c3710';

/** CMAC with AES-256. @source NIST SP 800-38B appendix D.3 */
export const cmacVectors: readonly MacVector[] = [
  { name: '16 octets', key: CMAC_KEY, message: CMAC_MESSAGE.slice(0, 32), mac: '28a7023f452e8f82bd4bf28d8c37c35c' },
  { name: '40 octets', key: CMAC_KEY, message: CMAC_MESSAGE.slice(0, 80), mac: 'aaf3d8f1de5640c232f5b169b9c911e6' },
  { name: '64 octets', key: CMAC_KEY, message: CMAC_MESSAGE, mac: 'e1992190549f6ed5696a2c056c315410' },
];

const RFC_4231_KEY = 'aa'.repeat(131);
const RFC_4231_MESSAGE = Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First').toString('hex');

/** HMAC with a key longer than a block, which every token takes. @source RFC 4231 section 4.7 */
export const hmacVectors: Readonly<Record<'sha256' | 'sha384' | 'sha512', MacVector>> = {
  sha256: {
    name: 'HMAC-SHA-256, test case 6',
    key: RFC_4231_KEY,
    message: RFC_4231_MESSAGE,
    mac: '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  },
  sha384: {
    name: 'HMAC-SHA-384, test case 6',
    key: RFC_4231_KEY,
    message: RFC_4231_MESSAGE,
    mac: '4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952',
  },
  sha512: {
    name: 'HMAC-SHA-512, test case 6',
    key: RFC_4231_KEY,
    message: RFC_4231_MESSAGE,
    mac:
      '80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352' +
      '6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598',
  },
};

/** AES-256-GCM with additional data and a message that is no multiple of a block. @source McGrew and Viega, GCM, appendix B, test case 16 */
export const gcmVector = {
  key: 'feffe9928665731c6d6a8f9467308308'.repeat(2),
  iv: 'cafebabefacedbaddecaf888',
  aad: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
  plaintext:
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
    '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
  ciphertext:
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
    '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662',
  tag: '76fc6ece0f4e1768cddf8853bb2d551b',
} as const;
