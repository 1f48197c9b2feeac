/** A published example of RSAES-OAEP; hexadecimal. */
export interface OaepVector {
  readonly name: string;
  readonly message: string;
  readonly ciphertext: string;
}

/** The key of {@link oaepVectors}: 1024 bits. @source RSA Laboratories, pkcs-1v2-1-vec, oaep-vect.txt, example 1 */
export const oaepKey = {
  modulus:
    'a8b3b284af8eb50b387034a860f146c4919f318763cd6c5598c8ae4811a1e0abc4c7e0b082d693a5e7fced675cf46685' +
    '12772c0cbc64a742c6c630f533c8cc72f62ae833c40bf25842e984bb78bdbf97c0107d55bdb662f5c4e0fab9845cb514' +
    '8ef7392dd3aaff93ae1e6b667bb3d4247616d4f5ba10d4cfd226de88d39f16fb',
  publicExponent: '010001',
  privateExponent:
    '53339cfdb79fc8466a655c7316aca85c55fd8f6dd898fdaf119517ef4f52e8fd8e258df93fee180fa0e4ab29693cd83b' +
    '152a553d4ac4d1812b8b9fa5af0e7f55fe7304df41570926f3311f15c4d65a732c483116ee3d3d2d0af3549ad9bf7cbf' +
    'b78ad884f84d5beb04724dc7369b31def37d0cf539e9cfcdd3de653729ead5d1',
  prime1:
    'd32737e7267ffe1341b2d5c0d150a81b586fb3132bed2f8d5262864a9cb9f30af38be448598d413a172efb802c21acf1' +
    'c11c520c2f26a471dcad212eac7ca39d',
  prime2:
    'cc8853d1d54da630fac004f471f281c7b8982d8224a490edbeb33d3e3d5cc93c4765703d1dd791642f1f116a0dd852be' +
    '2419b2af72bfe9a030e860b0288b5d77',
} as const;

/** RSAES-OAEP with SHA-1 and MGF1 with SHA-1, without a label. @source RSA Laboratories, pkcs-1v2-1-vec, oaep-vect.txt, example 1.1 */
export const oaepVectors: readonly OaepVector[] = [
  {
    name: 'pkcs-1v2-1-vec, OAEP example 1.1',
    message: '6628194e12073db03ba94cda9ef9532397d50dba79b987004afefe34',
    ciphertext:
      '354fe67b4a126d5d35fe36c777791a3f7ba13def484e2d3908aff722fad468fb21696de95d0be911c2d3174f8afcc201' +
      '035f7b6d8e69402de5451618c21a535fa9d7bfc5b8dd9fc243f8cf927db31322d6e881eaa91a996170e657a05a266426' +
      'd98c88003f8477c1227094a0d9fa1e8c4024309ce1ecccb5210035d47ac72e8a',
  },
];
