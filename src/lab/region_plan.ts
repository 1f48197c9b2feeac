import { join } from 'node:path';
import { formatListenAddress } from '../listen.js';
import type { LabAddresses } from './addresses.js';
import { MANAGED_MODULES, type Lab, type LabPin, type LabToken } from './lab_file.js';
import type { AccessKey, RegionConfig, TokenConfig } from './region_config.js';
import type { StateDirectory } from './state_directory.js';

/** The partition authority's file of all rosters, one compact JWS a line, oldest first. */
export const ROSTERS_FILE = 'rosters.jws';

/**
 * The configuration of one region of a lab.
 *
 * @param settings - `authorityKid`: thumbprint of the partition authority's key; `accessKeys`: the lab's own first
 */
export function planRegion(
  directory: StateDirectory,
  lab: Lab,
  settings: {
    readonly name: string;
    readonly addresses: LabAddresses;
    readonly authorityKid: string;
    readonly accessKeys: readonly AccessKey[];
  },
): RegionConfig {
  const { name, addresses } = settings;
  const own = directory.region(name);
  const region = lab.regions[name];
  return {
    region: name,
    partition: lab.partition,
    account: lab.account,
    listen: addresses.regions[name] ?? { host: '127.0.0.1', port: 0 },
    token: planToken(region?.token ?? { module: 'softhsm2' }, { directory: own, label: name }),
    proxyUrl: `http://${formatListenAddress(addresses.proxy)}`,
    directory: own,
    rosterFile: join(directory.authority, ROSTERS_FILE),
    authorityKid: settings.authorityKid,
    ...(lab.tls !== undefined && { tls: { certificate: lab.tls.certificate, key: lab.tls.key } }),
    credentials: settings.accessKeys.map((key) => ({ ...key })),
    hsm: { ...lab.hsm, ...(region?.keyStorage !== undefined && { keyStorage: region.keyStorage }) },
    profile: lab.profile,
    alarms: { topics: { ...lab.alarmActions }, hosts: [...lab.alarmHosts] },
    ...(region?.metrics !== undefined && { metrics: { ...region.metrics } }),
    ...(lab.eventWebhooks.length > 0 && { eventWebhooks: [...lab.eventWebhooks] }),
    lab: true,
  };
}

/**
 * How a token of the lab file is opened. Without label and slot, SoftHSM2 and NSS tokens are made by Keyferry, with PINs of their own.
 *
 * @param own - directory of whatever the token is for, and the label of a token that is made for it
 */
export function planToken(token: LabToken, own: { readonly directory: string; readonly label: string }): TokenConfig {
  const kind = MANAGED_MODULES.find((module) => module === token.module);
  if (kind !== undefined && token.label === undefined && token.slot === undefined) {
    const pinFile = (who: string): string => join(own.directory, `${who}.pin`);
    return {
      module: token.module,
      ...(token.dialect !== undefined && { dialect: token.dialect }),
      managed: { kind, directory: join(own.directory, 'token') },
      label: own.label,
      slot: null,
      pin: { kind: 'file', path: pinFile('user') },
      soPin: kind === 'nss' ? { kind: 'empty' } : { kind: 'file', path: pinFile('so') },
    };
  }
  return {
    module: token.module,
    managed: null,
    ...(token.dialect !== undefined && { dialect: token.dialect }),
    label: token.label ?? null,
    slot: token.slot ?? null,
    pin: planPin(token.pin, own.label),
    soPin: null,
    ...(token.libraryParameters !== undefined && { libraryParameters: token.libraryParameters }),
    ...(token.environment !== undefined && { environment: { ...token.environment } }),
  };
}

function planPin(pin: LabPin | undefined, label: string): TokenConfig['pin'] {
  if (pin === undefined || pin === 'prompt') return { kind: 'prompt', label };
  return 'file' in pin ? { kind: 'file', path: pin.file } : { kind: 'environment', name: pin.environment };
}
