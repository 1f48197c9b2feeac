import {
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GetKeyRotationStatusCommand,
  ReplicateKeyCommand,
  RotateKeyOnDemandCommand,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import { Chance } from '../support/chance.js';
import { RegionLab, type LabRegionProcess } from '../support/lab_process.js';
import { createPrimary, untilTrue, waitUntilEnabled } from '../support/replication_client.js';

const PRIMARY = 'us-east-1';
const REPLICA = 'eu-west-1';
const seed = Number(process.env['KEYFERRY_SEED'] ?? 20_261_121);
const rounds = Number(process.env['KEYFERRY_ROUNDS'] ?? 3);

describe('A rotation across regions while the regions’ processes are killed', function () {
  this.timeout(60_000 + rounds * 30_000);
  let lab: RegionLab;
  let primary: LabRegionProcess;
  let replica: LabRegionProcess;
  let here: KMSClient;
  let there: KMSClient;
  let KeyId: string;
  const blobs: Uint8Array[] = [];

  before(async () => {
    lab = await RegionLab.start({ [PRIMARY]: 'softhsm2', [REPLICA]: 'nss' });
    primary = lab.region(PRIMARY);
    replica = lab.region(REPLICA);
    here = primary.client();
    there = replica.client();
    KeyId = await createPrimary(here);
    await here.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: REPLICA }));
    await waitUntilEnabled(there, KeyId);
  });
  after(() => lab?.close());

  const currentOf = async (client: KMSClient) =>
    (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.CurrentKeyMaterialId;
  const isRotating = async () =>
    (await here.send(new GetKeyRotationStatusCommand({ KeyId }))).OnDemandRotationStartDate !== undefined;

  async function exchange(): Promise<void> {
    for (const client of [here, there]) {
      const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('ferried') }));
      blobs.push(CiphertextBlob ?? new Uint8Array());
    }
    for (const CiphertextBlob of blobs) {
      for (const client of [here, there]) {
        const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob }));
        expect(Buffer.from(Plaintext ?? []).toString()).to.equal('ferried');
      }
    }
  }

  it(`ends in the same new material in both, and every ciphertext ever made opens in both (seed ${seed})`, async () => {
    const chance = new Chance(seed);
    await exchange();
    for (let round = 0; round < rounds; round += 1) {
      const before = await currentOf(here);
      const request = here.send(new RotateKeyOnDemandCommand({ KeyId })).catch(() => undefined);
      await sleep(chance.below(60));
      const victims = [[primary], [replica], [primary, replica]][round % 3] ?? [];
      for (const { program } of victims) program.kill();
      await request;
      await Promise.all(victims.map(({ program }) => program.ended));
      await Promise.all(victims.map(({ program }) => program.start()));
      // Whoever was not answered looks whether anything came of it.
      await exchange();
      if (!(await isRotating()) && (await currentOf(here)) === before) {
        await here.send(new RotateKeyOnDemandCommand({ KeyId }));
      }
      await untilTrue('the same new material in both', async () => {
        const [atPrimary, atReplica] = [await currentOf(here), await currentOf(there)];
        return atPrimary !== before && atPrimary === atReplica;
      });
      await exchange();
    }
  });
});
