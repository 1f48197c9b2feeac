import { randomBytes } from 'node:crypto';
import type { AgreementKey, ReplicationHsm, SessionKeys } from '../../src/replication/replication_hsm.js';

/** RWK and KCK on both sides of a session between two HSMs. */
export interface AgreedPair {
  readonly wrapping: SessionKeys;
  readonly unwrapping: SessionKeys;
  release(): Promise<void>;
}

/** Agrees two HSMs on the keys of a session, by the first suite that both have. */
export async function agreeKeys(source: ReplicationHsm, destination: ReplicationHsm): Promise<AgreedPair> {
  const suite = source.suites.find((each) => destination.suites.includes(each));
  if (suite === undefined) throw new Error('the two tokens share no suite');
  const raka: AgreementKey = await source.generateAgreementKey(randomBytes(32));
  const rakb: AgreementKey = await destination.generateAgreementKey(randomBytes(32));
  const shared = { suite, salt: Buffer.alloc(48, 7), fixedInfo: { rwk: Buffer.from('RWK'), kck: Buffer.from('KCK') } };
  const wrapping = await source.agree({ ...shared, key: raka, peerPoint: rakb.point, direction: 'wrap' });
  const unwrapping = await destination.agree({ ...shared, key: rakb, peerPoint: raka.point, direction: 'unwrap' });
  return {
    wrapping,
    unwrapping,
    release: async () => {
      await source.release(raka, wrapping);
      await destination.release(rakb, unwrapping);
    },
  };
}
