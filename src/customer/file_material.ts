import { equalOctets } from '../bytes.js';
import { LockedMaterial, MaterialRefusal } from '../token/material.js';
import type { NativeMaterialFacts } from '../token/native.js';
import { CeremonyError } from './errors.js';
import type { MaterialSource, WrappedMaterial } from './material_source.js';
import type { ImportParameters, WrappingChoice } from './parameters.js';
import { formOf, requireRoom, wrappingOf, type ImportedKeySpec } from './rules.js';

/** OBJECT IDENTIFIERs of key algorithms, with their tag. @source RFC 8017 appendix C, RFC 5480 section 2.1.1 */
const RSA_ENCRYPTION = Buffer.from('06092a864886f70d010101', 'hex');
const EC_PUBLIC_KEY = Buffer.from('06072a8648ce3d0201', 'hex');

const TO_PKCS8 = 'openssl pkcs8 -topk8 -nocrypt -outform DER -in KEY -out key.der';

/** What to do about material of another form than PKCS#8. */
const OTHER_FORMS: Readonly<Record<NativeMaterialFacts['form'], readonly [string, string]>> = {
  pkcs8: ['PKCS#8', ''],
  pem: ['PEM, a text', `make DER of it: ${TO_PKCS8}`],
  'encrypted-pkcs8': ['encrypted PKCS#8', `decrypt it: ${TO_PKCS8} -inform DER`],
  pkcs1: ['PKCS#1', `make PKCS#8 of it: ${TO_PKCS8} -inform DER`],
  sec1: ['SEC 1', `make PKCS#8 of it: ${TO_PKCS8} -inform DER`],
  'public-key': ['a public key or a certificate', 'name the private key'],
  octets: ['no key that can be read', `make PKCS#8 in DER of it: ${TO_PKCS8}`],
};

/** Material from a file or from standard input: read into locked native memory, and wrapped there. */
export class FileMaterial implements MaterialSource {
  readonly hash = 'sha256';
  readonly #name: string;
  readonly #material: LockedMaterial;

  private constructor(name: string, material: LockedMaterial) {
    this.#name = name;
    this.#material = material;
  }

  /**
   * Reads material.
   *
   * @param name - of a file; `-` is standard input
   * @throws {@link CeremonyError} `ERR_CEREMONY_MATERIAL`
   */
  static async read(name: string): Promise<FileMaterial> {
    const shown = name === '-' ? 'standard input' : name;
    try {
      return new FileMaterial(shown, await LockedMaterial.read(name === '-' ? 'standard input' : { path: name }));
    } catch (error) {
      throw refusal(error, `${shown} holds no material`);
    }
  }

  get description(): string {
    const { octets, form } = this.#material.facts;
    return `${this.#name}, ${octets} octets${form === 'octets' ? '' : `, ${OTHER_FORMS[form][0]}`}`;
  }

  require(keySpec: ImportedKeySpec): void {
    const wanted = formOf(keySpec);
    const { facts } = this.#material;
    if (wanted.kind === 'octets') {
      const { octetsMin, octetsMax } = wanted;
      if (facts.octets >= octetsMin && facts.octets <= octetsMax) return;
      const range = octetsMin === octetsMax ? `${octetsMin}` : `${octetsMin} to ${octetsMax}`;
      throw this.#wrong(
        `${keySpec} wants ${range} octets`,
        'the octets themselves, not their hexadecimal, base64 or a line end',
      );
    }
    const [form, remedy] = OTHER_FORMS[facts.form];
    if (facts.form !== 'pkcs8') throw this.#wrong(`${keySpec} wants PKCS#8 in DER, and this is ${form}`, remedy);
    if (facts.hasTrailingOctets) throw this.#wrong('there are octets behind the PKCS#8');
    if (wanted.kind === 'rsa') {
      if (!equalOctets(facts.algorithm, RSA_ENCRYPTION)) throw this.#wrong(`${keySpec} wants an RSA key`);
      if (facts.hasMorePrimes) throw this.#wrong('an RSA key for KMS has two primes');
      if (facts.modulusBits !== wanted.modulusBits) {
        throw this.#wrong(`${keySpec} wants ${wanted.modulusBits} bits, and this modulus has ${facts.modulusBits}`);
      }
      return;
    }
    const { name, oid } = wanted.curve;
    const isEdwards = name === 'Ed25519';
    const isCurve = isEdwards
      ? equalOctets(facts.algorithm, oid)
      : equalOctets(facts.algorithm, EC_PUBLIC_KEY) && equalOctets(facts.parameters, oid);
    if (!isCurve) throw this.#wrong(`${keySpec} wants a key of the named curve ${name}`);
  }

  requireRoom({ wrappingAlgorithm, wrappingKeySpec }: WrappingChoice): void {
    requireRoom(this.#material.facts.octets, wrappingAlgorithm, wrappingKeySpec);
  }

  async wrap({ publicKey, wrappingAlgorithm }: ImportParameters): Promise<WrappedMaterial> {
    const { hash, withAesKey } = wrappingOf(wrappingAlgorithm);
    try {
      const octets = this.#material.wrap({ publicKey, hash, withAesKey });
      return { octets, strategy: 'in locked memory of this process', notes: [] };
    } catch (error) {
      throw refusal(error, 'The material cannot be wrapped');
    }
  }

  async close(): Promise<void> {
    this.#material.forget();
  }

  #wrong(reason: string, remedy?: string): CeremonyError {
    return new CeremonyError(
      'ERR_CEREMONY_MATERIAL',
      `${this.#name} (${this.#material.facts.octets} octets): ${reason}`,
      {
        ...(remedy === undefined ? {} : { remedy }),
      },
    );
  }
}

function refusal(error: unknown, what: string): unknown {
  if (!(error instanceof MaterialRefusal)) return error;
  return new CeremonyError('ERR_CEREMONY_MATERIAL', `${what}: ${error.message}`, { cause: error });
}
