import { equalOctets, utf8 } from '../bytes.js';
import {
  CKA_CLASS,
  CKA_EC_PARAMS,
  CKA_EXTRACTABLE,
  CKA_ID,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_MODULUS,
  CKA_SENSITIVE,
  CKA_VALUE_LEN,
  CKA_WRAP_WITH_TRUSTED,
  CKK_AES,
  CKK_EC,
  CKK_EC_EDWARDS,
  CKK_RSA,
  CKO_PRIVATE_KEY,
  CKO_SECRET_KEY,
} from '../token/cryptoki.js';
import { TokenError } from '../token/errors.js';
import { Job, type AttributeValue } from '../token/job.js';
import { TokenModule, type TokenSelector } from '../token/module.js';
import type { PinSource } from '../token/native.js';
import type { ObjectHandle } from '../token/object.js';
import { OpenToken } from '../token/open_token.js';
import { curveParameters } from '../token/public_key.js';
import { template, type Template } from '../token/template.js';
import { withoutLeadingZeros } from '../wire/der.js';
import { CeremonyError } from './errors.js';
import type { MaterialSource, WrappedMaterial } from './material_source.js';
import type { ImportParameters, WrappingChoice } from './parameters.js';
import { formOf, requireRoom, wrappingOf, type ImportedKeySpec, type Wrapping } from './rules.js';
import { probeTokenWrapping, wrapTokenKey, type TokenWrapping } from './token_wrapping.js';

/** Which key of which token is to be imported. */
export interface TokenKeyPlace {
  /** Path of a PKCS#11 library, or `softhsm2` or `nss`. */
  readonly module: string;
  readonly token: TokenSelector;
  readonly pin: PinSource;
  /** Its `CKA_LABEL`, or its `CKA_ID` in hexadecimal. */
  readonly object: string;
  /** `pReserved` of `C_Initialize`. */
  readonly libraryParameters?: string;
}

/** What the token says about the key; none of it is secret. */
interface KeyFacts {
  readonly keyClass: number;
  readonly keyType: number;
  /** Null where the token does not tell. */
  readonly octets: number | null;
  readonly modulusBits: number;
  readonly curve: Uint8Array;
  readonly isSensitive: boolean;
}

/** A key in a PKCS#11 token of the customer: it is wrapped inside, and stays what it is. */
export class TokenMaterial implements MaterialSource {
  readonly description: string;
  readonly #module: TokenModule;
  readonly #token: OpenToken;
  readonly #isOurs: boolean;
  readonly #key: ObjectHandle;
  readonly #facts: KeyFacts;
  readonly #wrapping: TokenWrapping;

  private constructor(
    place: TokenKeyPlace,
    opened: { readonly module: TokenModule; readonly token: OpenToken; readonly isOurs: boolean },
    found: { readonly key: ObjectHandle; readonly facts: KeyFacts; readonly wrapping: TokenWrapping },
  ) {
    this.#module = opened.module;
    this.#token = opened.token;
    this.#isOurs = opened.isOurs;
    this.#key = found.key;
    this.#facts = found.facts;
    this.#wrapping = found.wrapping;
    const sensitivity = found.facts.isSensitive ? 'sensitive' : 'not sensitive';
    this.description = `${place.object} (${describe(found.facts)}, ${sensitivity}) in token ${opened.token.slot.token().label}`;
  }

  /**
   * Logs in to the token, finds the key, and finds out how the token wraps.
   *
   * @throws {@link CeremonyError} `ERR_CEREMONY_SOURCE` where there is no one such key, or it may not be wrapped
   * @throws {@link TokenError}
   */
  static async open(place: TokenKeyPlace): Promise<TokenMaterial> {
    const module = TokenModule.load(place.module);
    const { libraryParameters } = place;
    // Somebody else in this process may be at work with the module: then it is theirs to close.
    const isOurs = !module.isInitialised;
    let token: OpenToken | undefined;
    try {
      if (isOurs) module.initialise(libraryParameters === undefined ? {} : { libraryParameters });
      token = await OpenToken.open(module, { token: place.token, userPin: place.pin, executor: { threads: 1 } });
      const key = await findKey(token, place.object);
      const facts = await readFacts(token, key, place.object);
      const wrapping = await probeTokenWrapping(token.executor, token.slot);
      return new TokenMaterial(place, { module, token, isOurs }, { key, facts, wrapping });
    } catch (error) {
      await token?.close();
      if (isOurs) module.close();
      throw error;
    }
  }

  get hash(): Wrapping['hash'] {
    return this.#wrapping.oaep.includes('sha256') ? 'sha256' : 'sha1';
  }

  require(keySpec: ImportedKeySpec): void {
    const wanted = formOf(keySpec);
    const { keyClass, keyType, octets, modulusBits, curve } = this.#facts;
    const isPrivate = keyClass === CKO_PRIVATE_KEY;
    if (wanted.kind === 'octets') {
      if (isPrivate) throw this.#wrong(`${keySpec} wants a secret key`);
      if (octets !== null && (octets < wanted.octetsMin || octets > wanted.octetsMax)) {
        const { octetsMin, octetsMax } = wanted;
        throw this.#wrong(`${keySpec} wants ${octetsMin === octetsMax ? '' : `${octetsMin} to `}${octetsMax} octets`);
      }
      return;
    }
    if (wanted.kind === 'rsa') {
      if (isPrivate && keyType === CKK_RSA && modulusBits === wanted.modulusBits) return;
      throw this.#wrong(`${keySpec} wants an RSA private key of ${wanted.modulusBits} bits`);
    }
    const isEdwards = wanted.curve.name === 'Ed25519';
    const names = [wanted.curve.oid, ...(isEdwards ? [curveParameters(wanted.curve, 'name')] : [])];
    const isOfType = keyType === (isEdwards ? CKK_EC_EDWARDS : CKK_EC);
    if (isPrivate && isOfType && names.some((name) => equalOctets(name, curve))) return;
    throw this.#wrong(`${keySpec} wants a private key of curve ${wanted.curve.name}`);
  }

  requireRoom({ wrappingAlgorithm, wrappingKeySpec }: WrappingChoice): void {
    const { hash, withAesKey } = wrappingOf(wrappingAlgorithm);
    const { oaep, keyWrap, rsaAesKeyWrap } = this.#wrapping;
    const refuse = (reason: string, remedy: string): never => {
      throw new CeremonyError('ERR_CEREMONY_SOURCE', `This token cannot wrap by ${wrappingAlgorithm}: ${reason}`, {
        remedy,
      });
    };
    if (!oaep.includes(hash) && !(withAesKey && rsaAesKeyWrap)) {
      refuse(
        `its CKM_RSA_PKCS_OAEP does not know ${hash === 'sha1' ? 'SHA-1' : 'SHA-256'}`,
        oaep.length === 0 ? 'take another token' : 'take the algorithm of the same name with SHA_1',
      );
    }
    if (withAesKey && keyWrap === null && !rsaAesKeyWrap) {
      refuse('it has neither CKM_RSA_AES_KEY_WRAP nor the AES key wrap of RFC 5649', 'take an RSAES_OAEP algorithm');
    }
    // A private key is as long as the token writes its PKCS#8, which nobody knows before.
    if (this.#facts.octets !== null && this.#facts.keyClass === CKO_SECRET_KEY) {
      requireRoom(this.#facts.octets, wrappingAlgorithm, wrappingKeySpec);
    }
  }

  async wrap({ publicKey, wrappingAlgorithm }: ImportParameters): Promise<WrappedMaterial> {
    const wrapping = wrappingOf(wrappingAlgorithm);
    const { keyWrap, rsaAesKeyWrap } = this.#wrapping;
    const notes =
      wrapping.withAesKey && !rsaAesKeyWrap && keyWrap?.fillsUp === true
        ? [
            'this token fills a key up with zero octets to a multiple of 8: whoever unwraps it must take up to 7 behind the PKCS#8',
          ]
        : [];
    try {
      const wrapped = await wrapTokenKey(this.#token.executor, this.#key, {
        publicKey,
        wrapping,
        token: this.#wrapping,
      });
      return { ...wrapped, notes };
    } catch (error) {
      if (!(error instanceof TokenError) || error.severity !== 'call') throw error;
      const isPrivate = this.#facts.keyClass === CKO_PRIVATE_KEY;
      throw new CeremonyError(
        'ERR_CEREMONY_SOURCE',
        `The token does not wrap this key by ${wrappingAlgorithm}: ${error.call} returned ${error.rvName}`,
        {
          details: { call: error.call, rvName: error.rvName, wrappingAlgorithm },
          cause: error,
          remedy:
            isPrivate && !wrapping.withAesKey ? 'many tokens wrap private keys by RSA_AES_KEY_WRAP only' : error.remedy,
        },
      );
    }
  }

  async close(): Promise<void> {
    await this.#token.close();
    if (this.#isOurs) this.#module.close();
  }

  #wrong(reason: string): CeremonyError {
    return new CeremonyError('ERR_CEREMONY_MATERIAL', `${this.description}: ${reason}`);
  }
}

/** The one secret or private key of that label or, where none has it, of that id. */
async function findKey(token: OpenToken, object: string): Promise<ObjectHandle> {
  const isHex = /^([0-9a-f]{2}){1,64}$/iu.test(object);
  const names = [
    template([CKA_LABEL, utf8(object)]),
    ...(isHex ? [template([CKA_ID, Buffer.from(object, 'hex')])] : []),
  ];
  for (const name of names) {
    const [key, ...others] = await findAll(token, name);
    if (key === undefined) continue;
    if (others.length === 0) return key;
    throw new CeremonyError('ERR_CEREMONY_SOURCE', `${others.length + 1} keys of the token are called ${object}`, {
      remedy: 'name the key by its CKA_ID, in hexadecimal',
    });
  }
  throw new CeremonyError('ERR_CEREMONY_SOURCE', `The token has no secret or private key ${object}`, {
    remedy: 'see its objects with: pkcs11-tool --list-objects --login',
  });
}

async function findAll(token: OpenToken, name: Template): Promise<readonly ObjectHandle[]> {
  const job = new Job('find key to import', 'by name');
  const found = [CKO_SECRET_KEY, CKO_PRIVATE_KEY].map((keyClass) =>
    job.findObjects([...template([CKA_CLASS, keyClass]), ...name], 16),
  );
  const result = await token.executor.run(job);
  return found.flatMap((output) => result.handles(output));
}

/** Reads what is no secret, and refuses a key that its token does not let out: some tokens would not refuse it themselves. */
async function readFacts(token: OpenToken, key: ObjectHandle, object: string): Promise<KeyFacts> {
  const job = new Job('read key to import', 'attributes');
  const told = job.getAttributes(key, [
    CKA_CLASS,
    CKA_KEY_TYPE,
    CKA_VALUE_LEN,
    CKA_MODULUS,
    CKA_EC_PARAMS,
    CKA_EXTRACTABLE,
    CKA_SENSITIVE,
    CKA_WRAP_WITH_TRUSTED,
  ]);
  const attributes = (await token.executor.run(job)).attributes(told);
  const refuse = (reason: string): never => {
    throw new CeremonyError('ERR_CEREMONY_SOURCE', `${object} cannot be wrapped: ${reason}`, {
      remedy: 'a key that was made not to leave its token stays there: make one for the import',
    });
  };
  if (!isTrue(attributes.get(CKA_EXTRACTABLE))) refuse('CKA_EXTRACTABLE is false');
  if (isTrue(attributes.get(CKA_WRAP_WITH_TRUSTED))) {
    refuse('CKA_WRAP_WITH_TRUSTED is true, and no downloaded public key is trusted');
  }
  // SoftHSM2 tells 0 for keys that were unwrapped.
  const octets = numberOf(attributes.get(CKA_VALUE_LEN));
  return {
    keyClass: numberOf(attributes.get(CKA_CLASS)) ?? CKO_SECRET_KEY,
    keyType: numberOf(attributes.get(CKA_KEY_TYPE)) ?? CKK_AES,
    octets: octets === 0 ? null : octets,
    modulusBits: withoutLeadingZeros(octetsOf(attributes.get(CKA_MODULUS))).length * 8,
    curve: octetsOf(attributes.get(CKA_EC_PARAMS)),
    isSensitive: isTrue(attributes.get(CKA_SENSITIVE)),
  };
}

function octetsOf(attribute: AttributeValue | undefined): Uint8Array {
  return attribute?.state === 'value' ? attribute.octets : new Uint8Array();
}

function isTrue(attribute: AttributeValue | undefined): boolean {
  return octetsOf(attribute)[0] === 1;
}

/** A `CK_ULONG` in the machine's order. */
function numberOf(attribute: AttributeValue | undefined): number | null {
  const octets = octetsOf(attribute);
  if (octets.length !== 8) return null;
  const value = new DataView(octets.buffer, octets.byteOffset).getBigUint64(0, true);
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : null;
}

function describe({ keyClass, keyType, octets, modulusBits }: KeyFacts): string {
  if (keyClass === CKO_SECRET_KEY) return `secret key${octets === null ? '' : ` of ${octets} octets`}`;
  if (keyType === CKK_RSA) return `RSA private key of ${modulusBits} bits`;
  return keyType === CKK_EC || keyType === CKK_EC_EDWARDS ? 'private key of a curve' : 'private key';
}
