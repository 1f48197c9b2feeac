/**
 * Handle of an object in a token: valid only in the epoch of the executor that made it.
 *
 * After a lost session or a restarted module the epoch is another one, and the same number may name another object.
 */
export interface ObjectHandle {
  readonly kind: 'object-handle';
  readonly epoch: number;
  readonly value: bigint;
}
