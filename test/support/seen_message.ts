import { messageOfTyp, type MessageName } from '../../src/replication/message.js';
import { parseJws, parsePayload } from '../../src/wire/jws.js';
import { isReject } from '../../src/wire/refusal.js';

/** What somebody on the way of a message can read in it. */
export interface SeenMessage {
  /** Undefined for what is no message of the protocol. */
  readonly name: MessageName | undefined;
  readonly sid: string | null;
  readonly keyIds: readonly string[];
}

/** Reads a message without believing it, as the proxy could. */
export function describeMessage(octets: Uint8Array): SeenMessage {
  const jws = parseJws(octets);
  if (isReject(jws)) return { name: undefined, sid: null, keyIds: [] };
  const payload = parsePayload(jws);
  const { sid, keys } = isReject(payload) ? {} : payload;
  return {
    name: messageOfTyp(jws.typ),
    sid: typeof sid === 'string' ? sid : null,
    keyIds: Array.isArray(keys)
      ? keys.flatMap((key) => {
          const id = (key as { keyId?: unknown }).keyId;
          return typeof id === 'string' ? [id] : [];
        })
      : [],
  };
}
