import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { capabilitiesOf, type HsmCapabilities } from '../../src/hsm/capability.js';
import { AuthorityKey } from '../../src/hsm/authority_key.js';
import { HsmError } from '../../src/hsm/errors.js';
import type { JobRunner } from '../../src/hsm/job_runner.js';
import { addDomainKey, provisionAuthority, provisionRegion, type ProvisionAccess } from '../../src/hsm/provision.js';
import { RegionHsm } from '../../src/hsm/region_hsm.js';
import { CKA_LABEL, CKA_TOKEN, CKA_TRUSTED, CKA_VALUE } from '../../src/token/cryptoki.js';
import { TokenError } from '../../src/token/errors.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import { prepareTokenDirectory } from '../../src/token/token_directory.js';
import { verifyEs384 } from '../support/es384.js';
import { accessToScratch, openScratch, profileOf } from '../support/region_token.js';
import { makeScratchToken, tokenKinds, type ScratchToken } from '../support/token_directory.js';

/** Labels of all token objects that the user sees, sorted. */
async function labelsIn(access: ProvisionAccess): Promise<readonly string[]> {
  return access.asUser(async (runner) => {
    const search = new Job('list', 'test');
    const found = search.findObjects(template([CKA_TOKEN, true]), 100);
    const labels: string[] = [];
    for (const handle of (await runner.run(search)).handles(found)) {
      const read = new Job('label', 'test');
      const attributes = read.getAttributes(handle, [CKA_LABEL]);
      labels.push(Buffer.from((await runner.run(read)).attributes(attributes).get(CKA_LABEL)!.octets).toString());
    }
    return labels.toSorted();
  });
}

async function destroyAll(access: ProvisionAccess): Promise<void> {
  await access.asUser(async (runner) => {
    const search = new Job('list', 'test');
    const found = search.findObjects(template([CKA_TOKEN, true]), 100);
    for (const handle of (await runner.run(search)).handles(found)) {
      const job = new Job('destroy', 'test');
      job.destroyObject(handle);
      await runner.run(job);
    }
  });
}

class Crash extends Error {}

/** The same access, where the result of one job never arrives and nothing works afterwards: a process that was killed. */
function crashingAt(access: ProvisionAccess, crashAt: number): { access: ProvisionAccess; jobs: () => number } {
  let jobs = 0;
  const crashing = (runner: JobRunner): JobRunner => ({
    get epoch() {
      return runner.epoch;
    },
    run: async (job) => {
      jobs += 1;
      if (jobs > crashAt) throw new Crash();
      const result = await runner.run(job);
      if (jobs === crashAt) throw new Crash();
      return result;
    },
  });
  const { asSecurityOfficer } = access;
  return {
    jobs: () => jobs,
    access: {
      asUser: (work) => access.asUser((runner) => work(crashing(runner))),
      asSecurityOfficer:
        asSecurityOfficer === null ? null : (work) => asSecurityOfficer((runner) => work(crashing(runner))),
    },
  };
}

const ALL_KEYS = [
  'keyferry:domain-key',
  'keyferry:import-signing-key',
  'keyferry:import-signing-key',
  'keyferry:record-key',
  'keyferry:replication-signing-key',
  'keyferry:replication-signing-key',
  'keyferry:single-region-domain-key',
];

for (const kind of tokenKinds()) {
  describe(`provisioning a ${kind} token`, function () {
    this.timeout(60_000);
    let token: ScratchToken;
    let access: ProvisionAccess;
    let capabilities: HsmCapabilities;

    before(async () => {
      token = await makeScratchToken(kind);
      access = accessToScratch(token);
      capabilities = capabilitiesOf(await profileOf(token));
    });
    after(() => token.dispose());
    beforeEach(() => destroyAll(access));

    it('makes two domain keys, a record key and two signing keys', async () => {
      const report = await provisionRegion(access, capabilities);
      expect(report.made).to.have.lengthOf(5);
      expect(await labelsIn(access)).to.deep.equal(ALL_KEYS);
    });

    it('makes nothing the second time', async () => {
      await provisionRegion(access, capabilities);
      expect((await provisionRegion(access, capabilities)).made).to.deep.equal([]);
      expect(await labelsIn(access)).to.deep.equal(ALL_KEYS);
    });

    it('leaves nothing to repair wherever it is interrupted', async () => {
      const whole = crashingAt(access, Number.POSITIVE_INFINITY);
      await provisionRegion(whole.access, capabilities);
      // A third of the places on one token, a sixth on the other: each costs two whole runs.
      for (let crashAt = 1; crashAt < whole.jobs(); crashAt += kind === 'softhsm2' ? 3 : 6) {
        await destroyAll(access);
        const interrupted = await provisionRegion(crashingAt(access, crashAt).access, capabilities).catch(
          (error: unknown) => error,
        );
        expect(interrupted, `crash at job ${crashAt}`).to.be.instanceOf(Crash);
        await provisionRegion(access, capabilities);
        expect(await labelsIn(access), `after a crash at job ${crashAt}`).to.deep.equal(ALL_KEYS);
      }
    });

    it('leaves nothing to repair when its process is killed', async () => {
      const { modulePath, slotId, userPin, label } = token;
      const soPin = kind === 'nss' ? null : token.soPin;
      const directory = join(token.directory, 'token');
      const argument = JSON.stringify({ modulePath, kind, directory, label, slotId, userPin, soPin, capabilities });
      prepareTokenDirectory(kind, directory, label);
      // One process at a time has this token open.
      token.module.finalise();
      try {
        for (const afterMs of [2, 20, 45, 80, 120]) await provisionInChild(argument, afterMs);
        expect(await provisionInChild(argument, null)).to.equal(0);
      } finally {
        token.module.initialise(token.settings);
      }
      expect(await labelsIn(access)).to.deep.equal(ALL_KEYS);
      expect((await provisionRegion(access, capabilities)).made).to.deep.equal([]);
    });

    it('adds a domain key on top of the old one, and what the old one wrapped stays readable', async () => {
      await provisionRegion(access, capabilities);
      const binding = {
        keyId: 'rotated',
        keySpec: 'SYMMETRIC_DEFAULT',
        keyUsage: 'ENCRYPT_DECRYPT',
        multiRegion: false,
        dataSuite: 'CBCDATA-GCM',
      } as const;
      const first = await openScratch(token);
      const before = await RegionHsm.open({ runner: first.executor, capabilities });
      const material = await before.createMaterial(binding);
      const blob = await before.encrypt(material, {}, Buffer.from('old'));
      await first.close();
      await addDomainKey(access, capabilities, 'keyferry:single-region-domain-key');
      const second = await openScratch(token);
      const after = await RegionHsm.open({ runner: second.executor, capabilities });
      const { singleRegionDomainKeys: domainKeys } = await after.describe();
      expect(domainKeys).to.have.lengthOf(2);
      expect(domainKeys[1]).to.equal(material.domainKeyId);
      expect((await after.createMaterial(binding)).domainKeyId).to.equal(domainKeys[0]);
      expect(Buffer.from(await after.decrypt(material, {}, blob)).toString()).to.equal('old');
      await second.close();
    });

    it('refuses to open an HSM on a token that was not provisioned', async () => {
      const { executor, close } = await openScratch(token);
      const refused = await RegionHsm.open({ runner: executor, capabilities }).catch((error: unknown) => error);
      await close();
      expect(refused).to.be.instanceOf(HsmError).and.have.property('code', 'ERR_HSM_KEY_NOT_FOUND');
    });

    it('keeps the partition authority’s key in a token of its own, and signs with it', async () => {
      expect((await provisionAuthority(access, capabilities)).made).to.deep.equal(['keyferry:partition-authority-key']);
      expect((await provisionAuthority(access, capabilities)).made).to.deep.equal([]);
      const { executor, close } = await openScratch(token);
      const authority = await AuthorityKey.open({ runner: executor, capabilities });
      const octets = Buffer.from('a roster');
      const signature = await authority.sign(octets);
      await close();
      expect(verifyEs384(authority.info.jwk, octets, signature)).to.equal(true);
      expect(verifyEs384(authority.info.jwk, Buffer.from('another'), signature)).to.equal(false);
    });

    if (kind === 'softhsm2') {
      it('gets a token back whose own object was being written when the process was killed', async () => {
        await provisionRegion(access, capabilities);
        const directory = join(token.directory, 'token');
        prepareTokenDirectory(kind, directory, token.label);
        const tokenObject = filesBelow(directory).find((file) => file.endsWith('/token.object'))!;
        const whole = readFileSync(tokenObject);
        for (const octets of [Buffer.alloc(0), whole.subarray(0, 100), whole.subarray(0, -1)]) {
          token.module.finalise();
          writeFileSync(tokenObject, octets);
          token.module.initialise(prepareTokenDirectory(kind, directory, token.label));
          expect(await labelsIn(access)).to.deep.equal(ALL_KEYS);
        }
      });

      it('has the security officer make the domain key trusted', async () => {
        expect((await provisionRegion(access, capabilities)).trustedDomainKey).to.equal(true);
        const { executor, close } = await openScratch(token);
        const hsm = await RegionHsm.open({ runner: executor, capabilities });
        expect((await hsm.describe()).domainKeyIsTrusted).to.equal(true);
        await close();
      });

      it('goes on without a trusted domain key where the officer is not at hand, and says so', async () => {
        await provisionRegion({ ...access, asSecurityOfficer: null }, capabilities);
        const { executor, close } = await openScratch(token);
        const hsm = await RegionHsm.open({ runner: executor, capabilities });
        const { domainKeyIsTrusted, enforcedByToken } = await hsm.describe();
        expect(domainKeyIsTrusted).to.equal(false);
        expect(enforcedByToken.wrapWithTrusted).to.equal(false);
        await close();
      });

      it('leaves no clear copy of the domain key in the token directory', async () => {
        const clearKeys: Buffer[] = [];
        const { asSecurityOfficer } = access;
        const watched: ProvisionAccess = {
          asUser: access.asUser,
          asSecurityOfficer: async (work) => {
            const result = await asSecurityOfficer!(work);
            clearKeys.push(...clearValuesIn(join(token.directory, 'token')));
            return result;
          },
        };
        await provisionRegion(watched, capabilities);
        expect(clearKeys, 'the key is in clear before it was copied').to.have.lengthOf(1);
        for (const file of filesBelow(join(token.directory, 'token'))) {
          expect(readFileSync(file).includes(clearKeys[0]!), file).to.equal(false);
        }
      });

      it('lets no user make a trusted key', async () => {
        await provisionRegion(access, capabilities);
        const refused = await access.asUser(async (runner) => {
          const job = new Job('trust', 'test');
          const found = new Job('find', 'test');
          const handles = found.findObjects(template([CKA_LABEL, Buffer.from('keyferry:record-key')]), 1);
          const [handle] = (await runner.run(found)).handles(handles);
          job.setAttributes(handle!, template([CKA_TRUSTED, true]));
          return runner.run(job).catch((error: unknown) => error);
        });
        expect(refused).to.be.instanceOf(TokenError).and.have.property('call', 'C_SetAttributeValue');
      });
    }
  });
}

/**
 * Provisions in a process of its own.
 *
 * @param killAfterMs - kills it so long after it began; null lets it finish
 * @returns its exit status, null if it was killed
 */
async function provisionInChild(argument: string, killAfterMs: number | null): Promise<number | null> {
  const script = fileURLToPath(new URL('../support/provision_child.js', import.meta.url));
  const child = spawn(process.execPath, [script, argument], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  if (killAfterMs !== null) {
    await Promise.race([once(child.stdout, 'data'), exited]);
    await delay(killAfterMs);
    child.kill('SIGKILL');
  }
  const [status] = (await exited) as [number | null];
  return status;
}

function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** 32-octet values of CKA_VALUE in SoftHSM2's object files: type, kind (octet string), length and value, big-endian. */
function clearValuesIn(directory: string): readonly Buffer[] {
  const start = Buffer.alloc(24);
  start.writeBigUInt64BE(BigInt(CKA_VALUE), 0);
  start.writeBigUInt64BE(3n, 8);
  start.writeBigUInt64BE(32n, 16);
  return filesBelow(directory).flatMap((file) => {
    const octets = readFileSync(file);
    const at = octets.indexOf(start);
    return at < 0 ? [] : [octets.subarray(at + 24, at + 56)];
  });
}
