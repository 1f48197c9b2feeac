import { createPublicKey } from 'node:crypto';
import { utf8 } from '../bytes.js';
import { IMPORT_KEY_SPECS, type ImportKeySpec } from '../hsm/import_key.js';
import { IMPORT_WRAPPING_ALGORITHMS, type ImportWrappingAlgorithm } from '../hsm/import_strategy.js';
import type { SigningKeyInfo } from '../hsm/signing_key.js';
import { parseJws, parsePayload, refusalOfSignature, signJws, type UnverifiedJws } from '../wire/jws.js';
import { Members } from '../wire/members.js';
import { isReject, refuse, refusing } from '../wire/refusal.js';
import type { JsonObject } from '../wire/strict_json.js';
import { ImportError, type ImportErrorCode } from './errors.js';

/** The type in the protected header: no message, roster or certificate has it. */
export const IMPORT_TOKEN_TYP = 'keyferry-import-token-1+jws';
/** Most octets of a token that is looked at. @source AWS KMS API Reference, ImportKeyMaterial */
const TOKEN_OCTETS_MAX = 6144;
const VERSION = 1;
const KEY_ID = /^(mrk-[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const SHA_256 = /^[0-9a-f]{64}$/;
const NAMES = [
  'v',
  'partition',
  'region',
  'keyId',
  'importKeyId',
  'publicKeyHash',
  'wrappingKeySpec',
  'algorithm',
  'iat',
  'exp',
];

/** What an import token says. */
export interface ImportTokenClaims {
  /** Key id without ARN. */
  readonly keyId: string;
  readonly importKeyId: string;
  /** SHA-256 of the wrapping key's SubjectPublicKeyInfo, 64 lower-case hex digits. */
  readonly publicKeyHash: string;
  readonly wrappingKeySpec: ImportKeySpec;
  readonly algorithm: ImportWrappingAlgorithm;
  /** Milliseconds since the epoch, by the region's clock; whole seconds. */
  readonly issuedMs: number;
  readonly expiresMs: number;
}

/** What signs import tokens: the import signing keys in the region's token. */
export interface ImportTokenSigner {
  /** The newest first: it signs; the others' tokens are still good. */
  importSigningKeys(): Promise<readonly SigningKeyInfo[]>;
  /** ES384 in the token, r || s, 96 octets. */
  signImportToken(kid: string, octets: Uint8Array): Promise<Uint8Array>;
}

/** The one region whose tokens these are. */
export interface ImportTokenRegion {
  readonly partition: string;
  readonly region: string;
}

/**
 * Import tokens: compact ES384 JWS of one region, bound to one key, one wrapping key, one algorithm and a time.
 *
 * @source RFC 7515; docs/IMPORT.md
 */
export class RegionImportTokens {
  readonly #signer: ImportTokenSigner;
  readonly #home: ImportTokenRegion;

  constructor(signer: ImportTokenSigner, home: ImportTokenRegion) {
    this.#signer = signer;
    this.#home = home;
  }

  /**
   * Makes a token.
   *
   * @param claims - times in whole seconds, as the token has them
   * @returns ASCII, about 800 octets
   */
  async issue(claims: ImportTokenClaims): Promise<Uint8Array> {
    const [newest] = await this.#signer.importSigningKeys();
    if (newest === undefined) {
      throw new ImportError(
        'ERR_IMPORT_TOKEN_SIGNING_KEY',
        'the token holds no import signing key: provision it first',
      );
    }
    const { issuedMs, expiresMs, ...named } = claims;
    const payload = { v: VERSION, ...this.#home, ...named, iat: seconds(issuedMs), exp: seconds(expiresMs) };
    const jws = await signJws({ kid: newest.kid, typ: IMPORT_TOKEN_TYP }, payload, (kid, octets) =>
      this.#signer.signImportToken(kid, octets),
    );
    return utf8(jws);
  }

  /**
   * What a token says, or why this region did not issue it: for the security audit, not for the caller of the API. Whether it is still
   * valid is the caller's to judge.
   */
  async open(token: Uint8Array): Promise<ImportTokenClaims | ImportError> {
    if (token.length > TOKEN_OCTETS_MAX) return refused('ERR_IMPORT_TOKEN_FORM', 'the token is too long');
    const jws = parseJws(token);
    if (isReject(jws)) return refused('ERR_IMPORT_TOKEN_FORM', jws.detail);
    if (jws.typ !== IMPORT_TOKEN_TYP) return refused('ERR_IMPORT_TOKEN_TYPE', 'a JWS of another flow');
    const signer = (await this.#signer.importSigningKeys()).find(({ kid }) => kid === jws.kid);
    if (signer === undefined) {
      return refused('ERR_IMPORT_TOKEN_SIGNING_KEY', 'signed by no import signing key of this region');
    }
    const key = createPublicKey({ key: { ...signer.jwk }, format: 'jwk' });
    const forged = refusalOfSignature(jws, key);
    if (forged !== null) return refused('ERR_IMPORT_TOKEN_SIGNATURE', forged.detail);
    return this.#claimsOf(jws);
  }

  #claimsOf(jws: UnverifiedJws): ImportTokenClaims | ImportError {
    const payload = parsePayload(jws);
    const claims = isReject(payload) ? payload : refusing(() => readClaims(payload));
    if (isReject(claims)) return refused('ERR_IMPORT_TOKEN_CLAIMS', claims.detail);
    const { partition, region, ...rest } = claims;
    const isOurs = partition === this.#home.partition && region === this.#home.region;
    return isOurs ? rest : refused('ERR_IMPORT_TOKEN_REGION', 'a token of another region');
  }
}

function readClaims(payload: JsonObject): ImportTokenClaims & ImportTokenRegion {
  const members = new Members(payload, NAMES);
  members.literal('v', VERSION);
  return {
    partition: members.name('partition'),
    region: members.name('region'),
    keyId: matching(members, 'keyId', KEY_ID),
    importKeyId: matching(members, 'importKeyId', UUID),
    publicKeyHash: matching(members, 'publicKeyHash', SHA_256),
    wrappingKeySpec: members.oneOf('wrappingKeySpec', IMPORT_KEY_SPECS),
    algorithm: members.oneOf('algorithm', IMPORT_WRAPPING_ALGORITHMS),
    issuedMs: members.integer('iat') * 1000,
    expiresMs: members.integer('exp') * 1000,
  };
}

function matching(members: Members, name: string, form: RegExp): string {
  const text = members.text(name, 64);
  return form.test(text) ? text : refuse('SYNTAX', members.path(name), 'Not of its form.');
}

function seconds(ms: number): number {
  if (!Number.isSafeInteger(ms) || ms < 0 || ms % 1000 !== 0) throw new RangeError('a token has whole seconds');
  return ms / 1000;
}

function refused(code: ImportErrorCode, detail: string): ImportError {
  return new ImportError(code, `the import token is refused: ${detail}`);
}
