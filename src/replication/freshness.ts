import { HsmCheckError } from './hsm_failure.js';
import type { Services } from './services.js';

/**
 * Notes values of the token's random generator that must never come twice: nonces, session ids, ephemeral points. Inside the transaction
 * that commits what they are for.
 *
 * @throws `HsmCheckError` where one was seen before; the agent is stopped then
 * @source FIPS 140-3 implementation guidance on continuous tests, as an analogue
 */
export function requireFresh(services: Services, ...values: readonly string[]): void {
  for (const value of values) {
    if (services.journal.noteOnce(value, services.clock.nowMs())) continue;
    const detail = 'the random generator of the token repeats itself';
    services.stopForSelfTest(detail);
    throw new HsmCheckError(detail);
  }
}
