import { equalOctets } from '../../../bytes.js';
import { AgreementKeys } from '../../../hsm/agreement_key.js';
import { capabilitiesOf, type HsmCapabilities } from '../../../hsm/capability.js';
import { HsmError } from '../../../hsm/errors.js';
import { HsmHealth } from '../../../hsm/health.js';
import { HsmJobs } from '../../../hsm/job_runner.js';
import {
  CKA_EXTRACTABLE,
  CKA_SENSITIVE,
  CKM_AES_KEY_GEN,
  CKM_ECDSA,
  CKM_EC_KEY_PAIR_GEN,
} from '../../../token/cryptoki.js';
import { TokenError } from '../../../token/errors.js';
import type { Executor } from '../../../token/executor.js';
import { Job } from '../../../token/job.js';
import type { ObjectHandle } from '../../../token/object.js';
import { plain } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import type { CheckContext } from '../../check_context.js';
import { ecPairTemplates, secretTemplate } from '../../key_template.js';
import { keep, measure, type Prepare } from './measurement.js';

/** What both regions hold before a key is replicated. */
interface Region {
  readonly domainKey: ObjectHandle;
  readonly signingKey: ObjectHandle;
  readonly material: ObjectHandle;
}

async function prepareRegion(executor: Executor): Promise<Region> {
  const aes = (usage: readonly ('wrap' | 'unwrap' | 'encrypt')[], extractable: boolean): Promise<ObjectHandle> =>
    keep(executor, (job) =>
      job.keep(
        job.generateKey(plain(CKM_AES_KEY_GEN), secretTemplate({ keyType: 'aes', usage, extractable, valueBytes: 32 })),
      ),
    );
  return {
    domainKey: await aes(['wrap', 'unwrap'], false),
    material: await aes(['encrypt'], true),
    signingKey: await keep(executor, (job) =>
      job.keep(job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...ecPairTemplates({ usage: ['sign'] })).privateKey),
    ),
  };
}

/** The token's part of one replication, both roles on one token: the messages' signatures among it, their transport not. */
class TokenReplication {
  readonly #context: CheckContext;
  readonly #capabilities: HsmCapabilities;
  readonly #executor: Executor;
  readonly #region: Region;
  readonly #keys: AgreementKeys;

  constructor(context: CheckContext, capabilities: HsmCapabilities, executor: Executor, region: Region) {
    this.#context = context;
    this.#capabilities = capabilities;
    this.#executor = executor;
    this.#region = region;
    const jobs = new HsmJobs(executor, new HsmHealth());
    this.#keys = new AgreementKeys(jobs, capabilities, async () => undefined);
  }

  /** M0 to M3, with what each needs of the token. */
  async run(): Promise<void> {
    const { random } = this.#context;
    const [suite] = this.#capabilities.suites;
    if (suite === undefined) throw new TypeError('a token without a suite is not measured');
    const salt = random.octets(48);
    const fixedInfo = { rwk: random.octets(48), kck: random.octets(48) };
    await this.#sign();
    const rakb = await this.#keys.generate(random.octets(16));
    await this.#sign();
    const raka = await this.#keys.generate(random.octets(16));
    const agreement = { suite, salt, fixedInfo };
    const source = await this.#keys.agree({ ...agreement, key: raka, peerPoint: rakb.point, direction: 'wrap' });
    const wrapped = await this.#wrap(this.#keys.wrappingKeyOf(source, 'wrap'));
    const confirmation = await this.#keys.confirm(source, wrapped);
    await this.#sign();
    const destination = await this.#keys.agree({ ...agreement, key: rakb, peerPoint: raka.point, direction: 'unwrap' });
    if (!equalOctets(await this.#keys.confirm(destination, wrapped), confirmation)) {
      throw new HsmError('ERR_HSM_SELF_TEST', 'both roles agree on different keys');
    }
    await this.#store(this.#keys.wrappingKeyOf(destination, 'unwrap'), wrapped);
    await this.#sign();
    await this.#keys.release(raka, rakb, source, destination);
  }

  async #sign(): Promise<void> {
    const job = new Job('validation', 'performance');
    job.sign(plain(CKM_ECDSA), this.#region.signingKey, this.#context.random.octets(48));
    await this.#executor.run(job);
  }

  async #wrap(wrappingKey: ObjectHandle): Promise<Uint8Array> {
    const job = new Job('validation', 'performance');
    const wrapped = job.wrapKey(plain(this.#capabilities.keyWrapPad), wrappingKey, this.#region.material);
    return (await this.#executor.run(job)).bytes(wrapped);
  }

  /** Unwraps, reads back what the token made of the template, and wraps for storage, as one job. */
  async #store(unwrappingKey: ObjectHandle, wrapped: Uint8Array): Promise<void> {
    const mechanism = plain(this.#capabilities.keyWrapPad);
    const { unwrapLength } = this.#capabilities;
    const shape = secretTemplate({
      keyType: 'aes',
      usage: ['encrypt'],
      extractable: true,
      ...(unwrapLength === 'required' ? { valueBytes: 32 } : {}),
    });
    const job = new Job('validation', 'performance');
    const key = job.unwrapKey(mechanism, unwrappingKey, wrapped, shape);
    job.getAttributes(key, [CKA_SENSITIVE, CKA_EXTRACTABLE]);
    job.wrapKey(mechanism, this.#region.domainKey, key);
    await this.#executor.run(job);
  }
}

/** Measures what the HSM floor does; what it refuses is a finding. */
async function measuringHsm(context: CheckContext, operation: string, prepare: Prepare): Promise<void> {
  try {
    await measure(context, operation, prepare);
  } catch (error) {
    if (!(error instanceof HsmError)) throw error;
    const { cause } = error;
    const seen = cause instanceof TokenError ? `${cause.call} returned ${cause.rvName}` : error.message;
    context.expect(false, { what: operation, expected: 'the same keys in both roles', seen });
  }
}

/** How long the token's part of a whole replication takes. */
export const replicationPerformance: readonly Check[] = [
  {
    id: 'PRF-10',
    group: 'PRF',
    title: "The token's part of a whole replication, both roles",
    severity: 'information',
    flows: ['replication'],

    timeLimitMs: 60_000,
    source:
      "measured as regions would see it, with the product's own agreement; without network, database and software checks",
    remedy: 'none is needed',
    run: async (context) => {
      const { profile } = context;
      context.need('ecKeyPairP384', 'ecdsa', 'aesKeyWrapPad', 'aesKeyUnwrapPad');
      if (profile === null) return;
      let capabilities: HsmCapabilities;
      try {
        capabilities = capabilitiesOf(profile);
      } catch (error) {
        if (error instanceof HsmError) context.skip(error.message);
        throw error;
      }
      const [suite] = capabilities.suites;
      if (suite === undefined) context.skip('the token can do no replication suite');
      let callsEach = 0;
      const operation = `replication of an AES-256 key by ${suite}`;
      await measuringHsm(context, operation, async (_, executor) => {
        const replication = new TokenReplication(context, capabilities, executor, await prepareRegion(executor));
        const before = executor.stats().calls;
        await replication.run();
        callsEach = executor.stats().calls - before;
        return () => replication.run();
      });
      context.record('PKCS#11 calls of one replication, both roles', `${callsEach}, by ${suite}`);
    },
  },
];
