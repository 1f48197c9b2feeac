import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseProfile } from '../token/profile.js';
import { describeProfile, type ProfileRow } from '../token/strategy_choice.js';
import { jobTitle } from '../validation/report_words.js';
import { readRegionConfig } from './region_config.js';
import type { StateDirectory } from './state_directory.js';

/** A strategy of a token's, and what its job is called for people. */
export interface StrategyReport extends ProfileRow {
  readonly jobTitle: string;
}

/** A region's token: where it is, what it says of itself, and by which strategies it is used. */
export interface TokenReport {
  /** `softhsm2`, `nss`, or the path of a PKCS#11 library. */
  readonly module: string;
  readonly modulePath: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly label: string;
  readonly libraryDescription: string;
  readonly libraryVersion: string;
  readonly cryptokiVersion: string;
  readonly hardwareVersion: string;
  readonly firmwareVersion: string;
  readonly mechanisms: number;
  /** Sessions that it lets open at a time; 0 for as many as one likes, null where it does not say. */
  readonly sessionCountMax: number | null;
  /** When it was probed, milliseconds since the epoch. */
  readonly probedAtMs: number;
  readonly strategies: readonly StrategyReport[];
}

/** The token of a region as it was probed when it was provisioned; null where it was not yet. */
export function readTokenReport(directory: StateDirectory, region: string): TokenReport | null {
  const file = join(directory.region(region), 'profile.json');
  if (!existsSync(file)) return null;
  const profile = parseProfile(readFileSync(file, 'utf8'));
  const { token, hsm } = readRegionConfig(directory.regionConfig(region));
  const { identity, mechanisms, rules, probedAtMs } = profile;
  return {
    module: token.module,
    modulePath: identity.modulePath,
    manufacturer: identity.manufacturer.trim(),
    model: identity.model.trim(),
    serial: identity.serial.trim(),
    label: identity.label.trim(),
    libraryDescription: identity.libraryDescription.trim(),
    libraryVersion: identity.libraryVersion,
    cryptokiVersion: identity.cryptokiVersion,
    hardwareVersion: identity.hardwareVersion,
    firmwareVersion: identity.firmwareVersion,
    mechanisms: mechanisms.length,
    sessionCountMax: rules.sessionCountMax,
    probedAtMs,
    strategies: describeProfile(profile, { outsideToken: hsm.outsideToken }).map((row) => ({
      ...row,
      jobTitle: jobTitle(row.job),
    })),
  };
}
