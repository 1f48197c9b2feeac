import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { RequestKey } from '../request_signature.js';
import { CeremonyError } from './errors.js';

/** Where KMS is, and as whom. */
export interface EndpointSettings {
  readonly url: URL;
  readonly region: string;
  readonly key: RequestKey;
  /** File of the certificates that are trusted for this endpoint in place of Node’s own. */
  readonly caFile?: string;
}

/** What a command says about the endpoint; what it leaves out comes from where AWS clients have it. */
export interface EndpointOptions {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  /** Region of the key's ARN, where there is one. */
  readonly keyRegion?: string | undefined;
  /** Take an endpoint without TLS that is not on this machine. */
  readonly allowHttp?: boolean | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Section = Readonly<Record<string, string>>;

/**
 * Finds the endpoint, its region and the credentials as AWS clients do: command line, environment, configuration files.
 *
 * @throws {@link CeremonyError} `ERR_CEREMONY_ENDPOINT`
 * @source AWS SDKs and Tools Reference Guide, "Configuration and credential precedence"
 */
export function resolveEndpoint(options: EndpointOptions, environment: Environment): EndpointSettings {
  const profile = options.profile ?? environment['AWS_PROFILE'] ?? 'default';
  const settings = settingsOf(profile, environment);
  const region =
    options.region ??
    options.keyRegion ??
    environment['AWS_REGION'] ??
    environment['AWS_DEFAULT_REGION'] ??
    settings['region'];
  if (region === undefined || !/^[a-z0-9-]{1,64}$/u.test(region)) {
    throw refusal(region === undefined ? 'No region is named' : `${region} is no region`, 'give --region');
  }
  const text =
    options.endpoint ??
    environment['AWS_ENDPOINT_URL_KMS'] ??
    environment['AWS_ENDPOINT_URL'] ??
    settings['endpoint_url'] ??
    `https://kms.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  const url = parseUrl(text, options.allowHttp === true);
  const caFile = environment['AWS_CA_BUNDLE'] ?? settings['ca_bundle'];
  return {
    url,
    region,
    ...(caFile !== undefined && { caFile }),
    key: credentialsOf(options, settings, environment, profile),
  };
}

function parseUrl(text: string, allowHttp: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw refusal(`${text} is no URL of an endpoint`, 'give --endpoint https://HOST:PORT');
  }
  const isHere = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
  if (url.protocol === 'http:' && !isHere && !allowHttp) {
    // Whoever can change the answer can put a public key of their own in it, and read the material.
    throw refusal(
      `${url.origin} has no TLS: who is between could exchange the wrapping key`,
      'use https, or --allow-http',
    );
  }
  return url;
}

function credentialsOf(
  options: EndpointOptions,
  settings: Section,
  environment: Environment,
  profile: string,
): RequestKey {
  // A profile on the command line goes before the environment's credentials; one in the environment does not.
  const fromEnvironment = options.profile === undefined ? keyOf(environment, NAMES.environment) : undefined;
  const key = fromEnvironment ?? keyOf(settings, NAMES.file);
  if (key !== undefined) return key;
  throw refusal(
    `There are no credentials in the environment or in profile ${profile}`,
    'for SSO, roles and processes: eval "$(aws configure export-credentials --format env)"',
  );
}

const NAMES = {
  environment: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'],
  file: ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token'],
} as const;

function keyOf(values: Environment, names: readonly [string, string, string]): RequestKey | undefined {
  const [accessKeyId, secretAccessKey, sessionToken] = names.map((name) => values[name]);
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

/** A profile's settings: of the configuration file, and of the credentials file over them. */
function settingsOf(profile: string, environment: Environment): Section {
  const inHome = (name: string): string => join(environment['HOME'] ?? homedir(), '.aws', name);
  const config = sectionsOf(environment['AWS_CONFIG_FILE'] ?? inHome('config'));
  const credentials = sectionsOf(environment['AWS_SHARED_CREDENTIALS_FILE'] ?? inHome('credentials'));
  return {
    ...(profile === 'default' ? config['default'] : {}),
    ...config[`profile ${profile}`],
    ...credentials[profile],
  };
}

function sectionsOf(file: string): Readonly<Record<string, Section>> {
  if (!existsSync(file)) return {};
  const sections: Record<string, Record<string, string>> = {};
  let current: Record<string, string> = {};
  for (const line of readFileSync(file, 'utf8').split(/\r?\n/u)) {
    const header = /^\[\s*([^\]]+?)\s*\]/u.exec(line)?.[1];
    if (header !== undefined) current = sections[header] ??= {};
    // Indented lines are settings inside a setting, none of which is asked for here.
    const [, name, value] = /^([A-Za-z0-9_.-]+)\s*=\s*(.*?)\s*$/u.exec(line) ?? [];
    if (header === undefined && name !== undefined && value !== undefined) current[name] = value;
  }
  return sections;
}

function refusal(message: string, remedy: string): CeremonyError {
  return new CeremonyError('ERR_CEREMONY_ENDPOINT', message, { remedy });
}
