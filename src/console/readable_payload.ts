import { createHash } from 'node:crypto';
import { parseJws, parsePayload } from '../wire/jws.js';
import { isReject } from '../wire/refusal.js';

/** Members whose octets carry wrapped material: nobody needs to see them, and nobody gets them. */
const OCTETS = new Set(['blob']);
/** Members that are JSON in base64url. */
const DOCUMENTS = new Set(['ctx']);
/** Members that are signed by themselves, or lists of such. */
const SIGNED = new Set(['birthCert', 'handovers', 'certs', 'rosters', 'handover']);

/**
 * A decoded payload as people read it: wrapped material as its length and SHA-256, and documents and certificates within it decoded too.
 *
 * @param payload - null where it could not be read
 */
export function readablePayload(payload: unknown): unknown {
  if (Array.isArray(payload)) return payload.map(readablePayload);
  if (typeof payload !== 'object' || payload === null) return payload;
  return Object.fromEntries(Object.entries(payload).map(([name, value]) => [name, readableMember(name, value)]));
}

function readableMember(name: string, value: unknown): unknown {
  if (Array.isArray(value) && SIGNED.has(name)) return value.map((item) => readableMember(name, item));
  if (typeof value !== 'string') return readablePayload(value);
  if (OCTETS.has(name)) {
    const octets = Buffer.from(value, 'base64url');
    return { octets: octets.length, sha256: createHash('sha256').update(octets).digest('hex') };
  }
  if (DOCUMENTS.has(name)) return documentOf(value);
  if (!SIGNED.has(name)) return value;
  const jws = parseJws(value);
  if (isReject(jws)) return value;
  const content = parsePayload(jws);
  return { typ: jws.typ, kid: jws.kid, payload: isReject(content) ? null : readablePayload(content) };
}

function documentOf(value: string): unknown {
  try {
    return readablePayload(JSON.parse(Buffer.from(value, 'base64url').toString('utf8')));
  } catch {
    return value;
  }
}
