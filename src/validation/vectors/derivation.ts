/** Published examples of key agreement and key derivation; hexadecimal. The software that checks use is held against them too. */
import type { HashName } from '../software_kdf.js';

/** A published example of a derivation from a secret. */
export interface DerivationVector {
  readonly name: string;
  readonly hash: HashName;
  readonly secret: string;
  readonly info: string;
  readonly derived: string;
}

/** The key derivation function of ANSI X9.63. @source NIST CAVP, ANSI X9.63-2001 test vectors (ansx963_2001.rsp) */
export const x963Vectors: readonly DerivationVector[] = [
  {
    name: 'SHA-1, 16 octets, no shared information',
    hash: 'sha1',
    secret: '1c7d7b5f0597b03d06a018466ed1a93e30ed4b04dc64ccdd',
    info: '',
    derived: 'bf71dffd8f4d99223936beb46fee8ccc',
  },
  {
    name: 'SHA-256, 16 octets, no shared information',
    hash: 'sha256',
    secret: '96c05619d56c328ab95fe84b18264b08725b85e33fd34f08',
    info: '',
    derived: '443024c3dae66b95e6f5670601558f71',
  },
  {
    name: 'SHA-256, 128 octets, 16 octets of shared information',
    hash: 'sha256',
    secret: '22518b10e70f2a3f243810ae3254139efbee04aa57c7af7d',
    info: '75eef81aa3041e33b80971203d2c0c52',
    derived:
      'c498af77161cc59f2962b9a713e2b215152d139766ce34a776df11866a69bf2e' +
      '52a13d9c7c6fc878c50c5ea0bc7b00e0da2447cfd874f6cf92f30d0097111485' +
      '500c90c3af8b487872d04685d14c8d1dc8d7fa08beb0ce0ababc11f0bd496269' +
      '142d43525a78e5bc79a17f59676a5706dc54d54d4d1f0bd7e386128ec26afc21',
  },
];

/** One-step key derivation with a hash. @source RFC 7518 appendix C */
export const oneStepVector: DerivationVector = {
  name: 'ECDH-ES with A128GCM, Alice and Bob',
  hash: 'sha256',
  secret: '9e56d91d817135d372834283bf84269cfb316ea3da806a48f6daa7798cfe90c4',
  info: '000000074131323847434d00000005416c69636500000003426f6200000080',
  derived: '56aa8deaf8236d205c2228cd71a7101a',
};

/** A published example of HKDF. */
export interface HkdfVector extends DerivationVector {
  /** Empty: no salt is given. */
  readonly salt: string;
}

/** @source RFC 5869 appendices A.1 to A.3 */
export const hkdfVectors: readonly HkdfVector[] = [
  {
    name: 'test case 1',
    hash: 'sha256',
    secret: '0b'.repeat(22),
    salt: '000102030405060708090a0b0c',
    info: 'f0f1f2f3f4f5f6f7f8f9',
    derived: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  },
  {
    name: 'test case 2',
    hash: 'sha256',
    secret: range(0x00, 80),
    salt: range(0x60, 80),
    info: range(0xb0, 80),
    derived:
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09' +
      'da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
  },
  {
    name: 'test case 3',
    hash: 'sha256',
    secret: '0b'.repeat(22),
    salt: '',
    info: '',
    derived: '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  },
];

/** Counter mode, HMAC-SHA-256, a 32-bit counter before the fixed input. @source NIST CAVP, SP 800-108 test vectors (KDFCTR_gen.rsp) */
export const counterModeVector: DerivationVector = {
  name: 'HMAC-SHA-256, RLEN 32, count 0',
  hash: 'sha256',
  secret: 'dd1d91b7d90b2bd3138533ce92b272fbf8a369316aefe242e659cc0ae238afe0',
  info:
    '01322b96b30acd197979444e468e1c5c6859bf1b1cf951b7e725303e237e46b8' +
    '64a145fab25e517b08f8683d0315bb2911d80a0e8aba17f3b413faac',
  derived: '10621342bfb0fd40046c0e29f2cfdbf0',
};

/** ECDH on P-384. @source NIST CAVP, ECC CDH primitive test vectors (KAS_ECC_CDH_PrimitiveTest.txt), P-384, count 0 */
export const eccCdhVector = {
  /** The other party’s point. */
  peer:
    '04a7c76b970c3b5fe8b05d2838ae04ab47697b9eaf52e764592efda27fe7513272734466b400091adbf2d68c58e0c50066' +
    'ac68f19f2e1cb879aed43a9969b91a0839c4c38a49749b661efedf243451915ed0905a32b060992b468c64766fc8437a',
  privateValue: '3cc3122a68f0d95027ad38c067916ba0eb8c38894d22e1b15618b6818a661774ad463b205da88cf699ab4d43c9cf98a1',
  /** The point of the private value. */
  point:
    '049803807f2f6d2fd966cdd0290bd410c0190352fbec7ff6247de1302df86f25d34fe4a97bef60cff548355c015dbb3e5f' +
    'ba26ca69ec2f5b5d9dad20cc9da711383a9dbe34ea3fa5a2af75b46502629ad54dd8b7d73a8abb06a3a3be47d650cc99',
  secret: '5f9d29dc5e31a163060356213669c8ce132e22f57c9a04f40ba7fcead493b457e5621e766c40a2e3d4d6a04b25e533f1',
} as const;

/** Consecutive octets. */
function range(first: number, count: number): string {
  return Buffer.from(Array.from({ length: count }, (_, at) => first + at)).toString('hex');
}
