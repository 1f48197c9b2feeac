/** A published example of AES key wrap; hexadecimal. */
export interface KeyWrapVector {
  readonly name: string;
  readonly kek: string;
  readonly key: string;
  readonly wrapped: string;
}

const KEK_128 = '000102030405060708090a0b0c0d0e0f';
const KEK_192 = `${KEK_128}1011121314151617`;
const KEK_256 = `${KEK_192}18191a1b1c1d1e1f`;
const KEY_128 = '00112233445566778899aabbccddeeff';
const KEY_192 = `${KEY_128}0001020304050607`;
const KEY_256 = `${KEY_192}08090a0b0c0d0e0f`;

/** @source RFC 3394 sections 4.1 to 4.6 */
export const keyWrapVectors: readonly KeyWrapVector[] = [
  {
    name: '4.1, 128 bits under 128',
    kek: KEK_128,
    key: KEY_128,
    wrapped: '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5',
  },
  {
    name: '4.2, 128 bits under 192',
    kek: KEK_192,
    key: KEY_128,
    wrapped: '96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d',
  },
  {
    name: '4.3, 128 bits under 256',
    kek: KEK_256,
    key: KEY_128,
    wrapped: '64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7',
  },
  {
    name: '4.4, 192 bits under 192',
    kek: KEK_192,
    key: KEY_192,
    wrapped: '031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2',
  },
  {
    name: '4.5, 192 bits under 256',
    kek: KEK_256,
    key: KEY_192,
    wrapped: 'a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1',
  },
  {
    name: '4.6, 256 bits under 256',
    kek: KEK_256,
    key: KEY_256,
    wrapped: '28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21',
  },
];

const KEK_5649 = '5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8';

/** @source RFC 5649 section 6 */
export const keyWrapPadVectors: readonly KeyWrapVector[] = [
  {
    name: '20 octets under 192 bits',
    kek: KEK_5649,
    key: 'c37b7e6492584340bed12207808941155068f738',
    wrapped: '138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a',
  },
  {
    name: '7 octets under 192 bits',
    kek: KEK_5649,
    key: '466f7250617369',
    wrapped: 'afbeb0f07dfbf5419200f2ccb50bb24f',
  },
];
