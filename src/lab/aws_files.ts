import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { z } from 'zod';
import type { Lab } from './lab_file.js';
import { parseJsonFile, type AccessKey } from './region_config.js';
import { writePrivateFile } from './private_files.js';
import type { StateDirectory } from './state_directory.js';

/** Name of the profile in the lab's AWS files. */
export const AWS_PROFILE = 'keyferry';

const accessKeyForm = z.strictObject({ accessKeyId: z.string(), secretAccessKey: z.string(), principal: z.string() });

/**
 * The lab's own access key, made at its first start: the account's root.
 *
 * @param partition - in the principal's ARN, which has to be of the keys' partition
 */
export function labAccessKey(directory: StateDirectory, lab: Lab): AccessKey {
  if (statSync(directory.accessKeyFile, { throwIfNoEntry: false }) !== undefined) {
    return parseJsonFile(directory.accessKeyFile, accessKeyForm);
  }
  const key: AccessKey = {
    accessKeyId: `AKIA${base32(randomBytes(10))}`,
    secretAccessKey: randomBytes(30).toString('base64'),
    principal: `arn:${lab.partition}:iam::${lab.account}:root`,
  };
  writePrivateFile(directory.accessKeyFile, `${JSON.stringify(key, undefined, 2)}\n`);
  return key;
}

/**
 * Writes the AWS configuration and shared credentials files of a lab, with the one profile `keyferry`.
 *
 * @param settings.endpoint - URL of the front door
 * @param settings.caFile - certificates to trust; null where the lab speaks HTTP
 * @param settings.region - the region where the profile names none
 */
export function writeAwsFiles(
  directory: StateDirectory,
  settings: {
    readonly key: AccessKey;
    readonly endpoint: string;
    readonly caFile: string | null;
    readonly region: string;
  },
): void {
  const { key, endpoint, caFile, region } = settings;
  writePrivateFile(
    directory.awsConfigFile,
    [
      `[profile ${AWS_PROFILE}]`,
      `region = ${region}`,
      'output = json',
      `endpoint_url = ${endpoint}`,
      ...(caFile === null ? [] : [`ca_bundle = ${caFile}`]),
      'cli_pager =',
      // Some versions of the AWS CLI take a URL for a place to read the value from: an alarm's action is a URL.
      'cli_follow_urlparam = false',
      '',
    ].join('\n'),
  );
  writePrivateFile(
    directory.awsCredentialsFile,
    [
      `[${AWS_PROFILE}]`,
      `aws_access_key_id = ${key.accessKeyId}`,
      `aws_secret_access_key = ${key.secretAccessKey}`,
      '',
    ].join('\n'),
  );
}

/** Variables that point AWS clients at a lab. */
export function awsEnvironment(
  directory: StateDirectory,
  settings: { readonly endpoint: string; readonly caFile: string | null; readonly region: string },
): Readonly<Record<string, string>> {
  return {
    AWS_CONFIG_FILE: directory.awsConfigFile,
    AWS_SHARED_CREDENTIALS_FILE: directory.awsCredentialsFile,
    AWS_PROFILE,
    AWS_REGION: settings.region,
    AWS_DEFAULT_REGION: settings.region,
    AWS_ENDPOINT_URL_KMS: settings.endpoint,
    // The first is for the AWS CLI and boto3, the other for everything that runs on Node.
    ...(settings.caFile !== null && { AWS_CA_BUNDLE: settings.caFile, NODE_EXTRA_CA_CERTS: settings.caFile }),
  };
}

/** RFC 4648 base32: the alphabet of access key ids. */
function base32(octets: Uint8Array): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  let bits = 0;
  let value = 0;
  let text = '';
  for (const octet of octets) {
    value = ((value << 8) | octet) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(value >>> bits) & 31];
    }
  }
  return text;
}
