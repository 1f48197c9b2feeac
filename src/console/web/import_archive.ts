import { octetsOf } from './octets.js';
import type { ZipEntry } from './zip.js';

/** What GetParametersForImport answers, and what was asked. */
export interface ImportParameters {
  readonly keyArn: string;
  readonly keySpec: string;
  readonly wrappingKeySpec: string;
  readonly wrappingAlgorithm: string;
  /** DER SubjectPublicKeyInfo in base64. */
  readonly publicKey: string;
  /** In base64. */
  readonly importToken: string;
  /** Seconds since the epoch. */
  readonly validTo: number;
}

/** Names of the files in the archive. @source AWS KMS Developer Guide, "Importing key material step 2" */
export const ARCHIVE_FILES = {
  publicKey: 'WrappingPublicKey.bin',
  importToken: 'ImportToken.bin',
  readme: 'README.txt',
} as const;

/**
 * Name of the archive, as the KMS console gives it.
 *
 * @param atMs - the Region's time, milliseconds since the epoch
 */
export function archiveName(keyId: string, atMs: number): string {
  const stamp = new Date(atMs).toISOString().slice(5, 19).replaceAll(/\D/gu, '');
  return `Import_Parameters_${keyId}_${stamp}.zip`;
}

/** The wrapping key, its import token and what to do with them. */
export function archiveEntries(parameters: ImportParameters): readonly ZipEntry[] {
  return [
    { name: ARCHIVE_FILES.publicKey, octets: octetsOf(parameters.publicKey) },
    { name: ARCHIVE_FILES.importToken, octets: octetsOf(parameters.importToken) },
    { name: ARCHIVE_FILES.readme, octets: new TextEncoder().encode(readme(parameters)) },
  ];
}

function readme(parameters: ImportParameters): string {
  const { keyArn, keySpec, wrappingKeySpec, wrappingAlgorithm, validTo } = parameters;
  return [
    'Parameters for the import of key material',
    '',
    `KMS key:            ${keyArn}`,
    `Key spec:           ${keySpec}`,
    `Wrapping key spec:  ${wrappingKeySpec}`,
    `Wrapping algorithm: ${wrappingAlgorithm}`,
    `Valid until:        ${new Date(validTo * 1000).toISOString()}`,
    '',
    `${ARCHIVE_FILES.publicKey}  the public wrapping key, DER SubjectPublicKeyInfo`,
    `${ARCHIVE_FILES.importToken}        the import token; it belongs to this wrapping key alone`,
    '',
    'Wrap the key material under the wrapping key, and upload the result together with the import token before both',
    'expire. They work for one import. With OpenSSL:',
    '',
    ...wrappingCommands(wrappingAlgorithm).map((line) => `  ${line}`),
    '',
    'Then choose "Upload key material" on the page of the KMS key: EncryptedKeyMaterial.bin and ImportToken.bin.',
    '',
  ].join('\n');
}

/** What wraps material with OpenSSL; for RSA_AES_KEY_WRAP, a private key in PKCS#8, DER. */
export function wrappingCommands(wrappingAlgorithm: string): readonly string[] {
  const hash = wrappingAlgorithm.endsWith('SHA_1') ? 'sha1' : 'sha256';
  const oaep = [
    `openssl pkeyutl -encrypt -pubin -keyform DER -inkey ${ARCHIVE_FILES.publicKey} \\`,
    `  -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:${hash} -pkeyopt rsa_mgf1_md:${hash} \\`,
  ];
  if (!wrappingAlgorithm.startsWith('RSA_AES_')) {
    return [...oaep, '  -in PlaintextKeyMaterial.bin -out EncryptedKeyMaterial.bin'];
  }
  return [
    'openssl rand -out aes.bin 32',
    'openssl enc -id-aes256-wrap-pad -iv A65959A6 -K "$(od -An -v -tx1 aes.bin | tr -d " \\n")" \\',
    '  -in PlaintextKeyMaterial.bin -out second.bin',
    ...oaep,
    '  -in aes.bin -out first.bin',
    'cat first.bin second.bin > EncryptedKeyMaterial.bin',
  ];
}
