import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConfigError } from './errors.js';

/** Files of a TLS identity, PEM; absolute paths. */
export interface TlsFiles {
  /** The certificate, with those of the authorities between it and a root behind it. */
  readonly certificate: string;
  /** Its private key, without passphrase. */
  readonly key: string;
  /** Root certificates that clients are to trust; the certificate itself where it is absent. */
  readonly authority?: string | undefined;
}

/** A certificate and its private key, PEM, that belong together. */
export interface TlsIdentity {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Oldest version of TLS that is spoken. @source AWS KMS Developer Guide, "Infrastructure security": TLS 1.2 is required */
export const TLS_MIN_VERSION = 'TLSv1.2';

/**
 * Reads what a server proves itself with.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_FILE` for files that cannot be read, are not PEM, or do not belong together
 */
export function readTlsIdentity(files: TlsFiles): TlsIdentity {
  const cert = readPem(files.certificate);
  const key = readPem(files.key);
  try {
    createSecureContext({ cert, key, minVersion: TLS_MIN_VERSION });
  } catch (error) {
    throw new ConfigError(
      'ERR_CONFIG_FILE',
      `${files.certificate} and ${files.key} are no certificate and its private key in PEM: ${reasonOf(error)}`,
      { details: { file: files.certificate }, cause: error },
    );
  }
  return { cert, key };
}

/**
 * Reads the certificates that a client trusts.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_FILE`
 */
export function readTlsAuthority(files: Pick<TlsFiles, 'certificate' | 'authority'>): Buffer {
  return readPem(files.authority ?? files.certificate);
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new ConfigError('ERR_CONFIG_FILE', `${file} cannot be read: ${reasonOf(error)}`, {
      details: { file },
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
