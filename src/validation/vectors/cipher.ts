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
  {
    name: 'AES-256-CMAC, 16 octets',
    key: CMAC_KEY,
    message: CMAC_MESSAGE.slice(0, 32),
    mac: '28a7023f452e8f82bd4bf28d8c37c35c',
  },
  {
    name: 'AES-256-CMAC, 40 octets',
    key: CMAC_KEY,
    message: CMAC_MESSAGE.slice(0, 80),
    mac: 'aaf3d8f1de5640c232f5b169b9c911e6',
  },
  { name: 'AES-256-CMAC, 64 octets', key: CMAC_KEY, message: CMAC_MESSAGE, mac: 'e1992190549f6ed5696a2c056c315410' },
];

const CMAC_KEY_128 = '2b7e151628aed2a6abf7158809cf4f3c';

/** CMAC with AES-128; the same messages. @source RFC 4493 section 4, examples 2 to 4 */
export const cmac128Vectors: readonly MacVector[] = [
  {
    name: 'AES-128-CMAC, RFC 4493, example 2',
    key: CMAC_KEY_128,
    message: CMAC_MESSAGE.slice(0, 32),
    mac: '070a16b46b4d4144f79bdd9dd04a287c',
  },
  {
    name: 'AES-128-CMAC, RFC 4493, example 3',
    key: CMAC_KEY_128,
    message: CMAC_MESSAGE.slice(0, 80),
    mac: 'dfa66747de9ae63030ca32611497c827',
  },
  {
    name: 'AES-128-CMAC, RFC 4493, example 4',
    key: CMAC_KEY_128,
    message: CMAC_MESSAGE,
    mac: '51f0bebf7e3b9d92fc49741779363cfe',
  },
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

const SHORT_KEY = '0b'.repeat(20);
const SHORT_MESSAGE = Buffer.from('Hi There').toString('hex');
const JEFE = Buffer.from('Jefe').toString('hex');
const JEFE_MESSAGE = Buffer.from('what do ya want for nothing?').toString('hex');
const LONG_MESSAGE = Buffer.from(
  'This is a test using a larger than block-size key and a larger than block-size data. ' +
    'The key needs to be hashed before being used by the HMAC algorithm.',
).toString('hex');

/** More of HMAC: keys shorter than a hash, which some tokens refuse, and a message longer than a block. @source RFC 4231 sections 4.2, 4.3, 4.8 */
export const moreHmacVectors: Readonly<Record<'sha256' | 'sha384' | 'sha512', readonly MacVector[]>> = {
  sha256: [
    {
      ...{ name: 'HMAC-SHA-256, test case 1', key: SHORT_KEY, message: SHORT_MESSAGE },
      mac: 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    },
    {
      ...{ name: 'HMAC-SHA-256, test case 2', key: JEFE, message: JEFE_MESSAGE },
      mac: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    },
    {
      ...{ name: 'HMAC-SHA-256, test case 7', key: RFC_4231_KEY, message: LONG_MESSAGE },
      mac: '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
    },
  ],
  sha384: [
    {
      ...{ name: 'HMAC-SHA-384, test case 1', key: SHORT_KEY, message: SHORT_MESSAGE },
      mac: 'afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6',
    },
    {
      ...{ name: 'HMAC-SHA-384, test case 2', key: JEFE, message: JEFE_MESSAGE },
      mac: 'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649',
    },
    {
      ...{ name: 'HMAC-SHA-384, test case 7', key: RFC_4231_KEY, message: LONG_MESSAGE },
      mac: '6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e',
    },
  ],
  sha512: [
    {
      ...{ name: 'HMAC-SHA-512, test case 1', key: SHORT_KEY, message: SHORT_MESSAGE },
      mac:
        '87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde' +
        'daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854',
    },
    {
      ...{ name: 'HMAC-SHA-512, test case 2', key: JEFE, message: JEFE_MESSAGE },
      mac:
        '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554' +
        '9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
    },
    {
      ...{ name: 'HMAC-SHA-512, test case 7', key: RFC_4231_KEY, message: LONG_MESSAGE },
      mac:
        'e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944' +
        'b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58',
    },
  ],
};

/** A published example of AES-GCM; hexadecimal. */
export interface GcmVector {
  readonly name: string;
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly plaintext: string;
  readonly ciphertext: string;
  readonly tag: string;
}

/** AES-256-GCM with additional data and a message that is no multiple of a block. @source McGrew and Viega, GCM, appendix B, test case 16 */
export const gcmVector: GcmVector = {
  name: 'test case 16',
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
};

/** AES-256-GCM. @source McGrew and Viega, GCM, appendix B, test cases 13 to 17 */
export const gcmVectors: readonly GcmVector[] = [
  {
    name: 'test case 13, no plaintext',
    key: '00'.repeat(32),
    iv: '00'.repeat(12),
    aad: '',
    plaintext: '',
    ciphertext: '',
    tag: '530f8afbc74536b9a963b4f1c4cb738b',
  },
  {
    name: 'test case 14, one block',
    key: '00'.repeat(32),
    iv: '00'.repeat(12),
    aad: '',
    plaintext: '00'.repeat(16),
    ciphertext: 'cea7403d4d606b6e074ec5d3baf39d18',
    tag: 'd0d1c8a799996bf0265b98b5d48ab919',
  },
  {
    name: 'test case 15, four blocks',
    key: gcmVector.key,
    iv: gcmVector.iv,
    aad: '',
    plaintext: `${gcmVector.plaintext}1aafd255`,
    ciphertext: `${gcmVector.ciphertext}898015ad`,
    tag: 'b094dac5d93471bdec1a502270e3cc6c',
  },
  gcmVector,
  {
    name: 'test case 17, an IV of 8 octets',
    key: gcmVector.key,
    iv: 'cafebabefacedbad',
    aad: gcmVector.aad,
    plaintext: gcmVector.plaintext,
    ciphertext:
      'c3762df1ca787d32ae47c13bf19844cbaf1ae14d0b976afac52ff7d79bba9de0' +
      'feb582d33934a4f0954cc2363bc73f7862ac430e64abe499f47c9b1f',
    tag: '3a337dbf46a792c45e454913fe2ea8f2',
  },
];
