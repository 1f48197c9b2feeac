import { refuseEncapsulation, type EncapsulationRequest } from '../encapsulation.js';
import type { Operation } from '../region.js';

/**
 * Answers as AWS KMS does for a key that is not for encapsulation, which is every key here.
 *
 * @throws {@link KmsError} as {@link refuseEncapsulation}
 * @source AWS KMS API Reference, Encapsulate
 */
export const encapsulate: Operation<EncapsulationRequest, never> = async (call, request) =>
  refuseEncapsulation(call, 'Encapsulate', request);
