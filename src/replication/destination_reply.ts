import type { Reject } from '../wire/refusal.js';
import { classifyHsmFailure } from './hsm_failure.js';
import type { MessageOf } from './message.js';
import type { Services } from './services.js';

/** MX for an intent that starts no session; says the highest generation where the source's is too old. */
export async function refuseIntent(
  services: Services,
  intent: MessageOf<'intent'>,
  intentId: string,
  refusal: Reject,
): Promise<void> {
  const { journal, channel } = services;
  const source = intent.envelope.issuer;
  const highWater = intent.body.keys
    .map((key) => journal.highWater(key.keyId, source))
    .reduce((a, b) => (a > b ? a : b), -1n);
  try {
    const sealed = await channel.seal(
      'abort',
      { destination: source, role: 'D', sid: null, prev: intentId, epoch: intent.envelope.epoch },
      {
        intent: intentId,
        code: refusal.code,
        state: 'UNKNOWN',
        highWater: refusal.code === 'GEN' && highWater >= 0n ? highWater : null,
        rosters: [],
      },
      services.hsm(null),
    );
    channel.release(source, sealed.compact);
  } catch (error) {
    // The source sends its intent again and is told then.
    classifyHsmFailure(error);
  }
}

/** MS: no such session here. */
export async function tellUnknown(services: Services, query: MessageOf<'query'>): Promise<null> {
  const { channel } = services;
  const { issuer, sid, epoch } = query.envelope;
  const body = { intent: query.body.intent, state: 'UNKNOWN' } as const;
  try {
    const envelope = { destination: issuer, role: 'D', sid, prev: null, epoch } as const;
    const sealed = await channel.seal('status', envelope, body, services.hsm(sid));
    channel.release(issuer, sealed.compact);
  } catch (error) {
    // The source asks again.
    classifyHsmFailure(error);
  }
  return null;
}
