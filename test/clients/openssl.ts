import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The `openssl` command over files of one directory. */
export class OpenSsl {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Writes octets to a new file; its path. */
  file(octets: Uint8Array | string): string {
    const path = join(this.#directory, randomBytes(6).toString('hex'));
    writeFileSync(path, octets);
    return path;
  }

  /**
   * `openssl dgst -verify`.
   *
   * @param publicKey - SubjectPublicKeyInfo, DER
   * @param options - options of `dgst`: the digest, and the padding where it is not the default
   */
  verifies(
    publicKey: Uint8Array,
    { message, signature }: { readonly message: Uint8Array; readonly signature: Uint8Array },
    options: readonly string[],
  ): boolean {
    const key = ['-verify', this.file(publicKey), '-keyform', 'DER'];
    try {
      const said = this.#run('dgst', ...options, ...key, '-signature', this.file(signature), this.file(message));
      return said.trim() === 'Verified OK';
    } catch {
      return false;
    }
  }

  /**
   * `openssl pkeyutl -encrypt`, RSAES-OAEP.
   *
   * @param hash - of the label and of the mask, as `openssl` names it
   */
  encrypt(publicKey: Uint8Array, plaintext: Uint8Array, hash: string): Buffer {
    const out = this.file('');
    const key = ['-pubin', '-keyform', 'DER', '-inkey', this.file(publicKey)];
    const padding = ['rsa_padding_mode:oaep', `rsa_oaep_md:${hash}`, `rsa_mgf1_md:${hash}`];
    const options = padding.flatMap((option) => ['-pkeyopt', option]);
    this.#run('pkeyutl', '-encrypt', ...key, ...options, '-in', this.file(plaintext), '-out', out);
    return readFileSync(out);
  }

  /** `openssl dgst -mac HMAC` with SHA-256. */
  hmac(key: Uint8Array, message: Uint8Array): Buffer {
    const out = this.file('');
    const how = ['-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${Buffer.from(key).toString('hex')}`];
    this.#run('dgst', ...how, '-binary', '-out', out, this.file(message));
    return readFileSync(out);
  }

  #run(...args: readonly string[]): string {
    return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }
}
