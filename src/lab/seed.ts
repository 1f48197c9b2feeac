import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { FileMaterial } from '../customer/file_material.js';
import { KmsEndpoint } from '../customer/kms_endpoint.js';
import { describeTarget, downloadUsualParameters } from '../customer/parameters.js';
import { requireWrapping } from '../customer/rules.js';
import { uploadMaterial } from '../customer/upload.js';
import { ConfigError } from '../errors.js';
import { askAdmin } from './admin_client.js';
import { KmsClient } from './kms_client.js';
import { runKeyferry } from './one_shot.js';
import type { AccessKey } from './region_config.js';
import type { SeedKey, SeedMaterial } from './seed_file.js';
import { findSeeded, seedKey, type SeededKey, type SeedServices } from './seeded_key.js';
import type { StateDirectory } from './state_directory.js';

const certificatesForm = z.record(z.string(), z.string());
const createdForm = z.object({ KeyMetadata: z.record(z.string(), z.unknown()) });

/**
 * Prepares a running lab with the keys of its file: through the KMS API, and over the administration sockets where a key id is chosen.
 * What is there stays; a second run changes nothing.
 *
 * @param lab.endpoint - URL of the front door
 * @param lab.caFile - certificates to trust there; null where it speaks HTTP
 * @throws {@link LabError} for what KMS refuses; {@link CeremonyError} for material that cannot be imported; {@link ConfigError}
 */
export async function applySeed(
  directory: StateDirectory,
  keys: readonly SeedKey[],
  lab: {
    readonly endpoint: string;
    readonly caFile: string | null;
    readonly accessKey: AccessKey;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<readonly SeededKey[]> {
  if (keys.length === 0) return [];
  const kms = new KmsClient(lab.endpoint, lab.accessKey, lab.caFile);
  const certificates = await certify(directory, await missingChosen(kms, keys), lab.signal);
  const services: SeedServices = {
    kms,
    policyText,
    createChosen: async (key, request) => {
      const body = { keyId: key.keyId, birthCertificate: certificates[key.keyId] ?? null, request };
      const answer = await askAdmin(directory.adminSocket(key.region), { method: 'POST', path: '/keys', body });
      return createdForm.parse(answer).KeyMetadata;
    },
    importMaterial: (region, arn, material) =>
      importFile(
        new KmsEndpoint({
          url: new URL(lab.endpoint),
          region,
          key: lab.accessKey,
          ...(lab.caFile !== null && { caFile: lab.caFile }),
        }),
        arn,
        material,
      ),
  };
  const seeded: SeededKey[] = [];
  for (const key of keys) {
    lab.signal?.throwIfAborted();
    seeded.push(await seedKey(services, key));
  }
  return seeded;
}

/** Multi-Region keys with a chosen id that are not there yet. */
async function missingChosen(kms: KmsClient, keys: readonly SeedKey[]): Promise<readonly SeedKey[]> {
  const missing: SeedKey[] = [];
  for (const key of keys) {
    const isChosen = key.keyId !== undefined && key.multiRegion;
    if (isChosen && (await findSeeded(kms, key)) === undefined) missing.push(key);
  }
  return missing;
}

/** The partition authority's certificates of key ids, by id. */
async function certify(
  directory: StateDirectory,
  keys: readonly SeedKey[],
  signal: AbortSignal | undefined,
): Promise<Readonly<Record<string, string>>> {
  if (keys.length === 0) return {};
  const claims = keys.map(({ region, keyId, keySpec, keyUsage, origin }) => ({
    region,
    keyId,
    keySpec,
    keyUsage,
    origin,
  }));
  const input = JSON.stringify(claims);
  return certificatesForm.parse(
    await runKeyferry(['authority', 'certify', '--dir', directory.root], { input, signal }),
  );
}

function policyText({ policy }: SeedKey): string | undefined {
  if (policy === undefined) return undefined;
  if (!('file' in policy)) return JSON.stringify(policy);
  const file = String(policy.file);
  try {
    const text = readFileSync(file, 'utf8');
    JSON.parse(text);
    return text;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError('ERR_CONFIG_FILE', `The policy ${file} cannot be used: ${reason}`, {
      details: { file },
      cause,
    });
  }
}

/** The whole ceremony of one import; the material is wrapped in locked memory of this process. */
async function importFile(kms: KmsEndpoint, arn: string, material: SeedMaterial): Promise<void> {
  const { file, expiration, description } = material;
  // The shortest is enough for a wrapped key that does not leave this machine, and the quickest to be made.
  const wrappingKeySpec = 'RSA_2048';
  const source = await FileMaterial.read(file);
  try {
    const target = await describeTarget(kms, arn);
    source.require(target.keySpec);
    const parameters = await downloadUsualParameters(kms, target, {
      wrappingKeySpec,
      hash: source.hash,
      check: (choice) => {
        requireWrapping(target.keySpec, choice.wrappingAlgorithm, wrappingKeySpec);
        source.requireRoom(choice);
      },
    });
    const { octets } = await source.wrap(parameters);
    await uploadMaterial(kms, parameters, octets, { expiration, ...(description !== undefined && { description }) });
  } finally {
    await source.close();
  }
}
