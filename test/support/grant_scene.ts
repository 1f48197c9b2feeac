import {
  createGrant,
  type CreateGrantRequest,
  type CreateGrantResponse,
} from '../../src/kms/operations/create_grant.js';
import { createKey } from '../../src/kms/operations/create_key.js';
import { encrypt } from '../../src/kms/operations/encrypt.js';
import type { Call } from '../../src/kms/region.js';
import { callWith, NOTHING, USER_ARN } from './call_with.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from './software_region.js';

export const ALICE = `${USER_ARN}/alice`;
export const BOB = `${USER_ARN}/bob`;

/** A region with one key and two users of its account whose own policies allow them nothing. */
export interface GrantScene {
  readonly fixture: SoftwareRegion;
  /** Of the key. */
  readonly arn: string;
  readonly alice: Call;
  readonly bob: Call;
  /** Grants Encrypt and Decrypt to Alice, but for what is said otherwise; by the root unless by somebody else. */
  grant(more?: Partial<CreateGrantRequest>, call?: Call): Promise<CreateGrantResponse>;
  /** Whether a caller may encrypt under a context. */
  may(call: Call, context?: Readonly<Record<string, string>>, keyId?: string): Promise<boolean>;
}

export async function makeGrantScene(): Promise<GrantScene> {
  const fixture = makeSoftwareRegion();
  const { Arn: arn } = (await createKey(fixture.call, {})).KeyMetadata;
  return {
    fixture,
    arn,
    alice: callWith(fixture, ALICE, NOTHING),
    bob: callWith(fixture, BOB, NOTHING),
    grant: (more = {}, call = fixture.call) =>
      createGrant(call, { KeyId: arn, GranteePrincipal: ALICE, Operations: ['Encrypt', 'Decrypt'], ...more }),
    may: async (call, EncryptionContext = {}, KeyId = arn) => {
      try {
        await encrypt(call, { KeyId, Plaintext: Buffer.from('a message'), EncryptionContext });
        return true;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'AccessDeniedException') return false;
        throw error;
      }
    },
  };
}

/** The exception that some work is refused with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  return (await refusalOf(work)).code;
}
