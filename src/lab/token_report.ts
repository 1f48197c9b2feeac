import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseProfile } from '../token/profile.js';
import { describeProfile } from '../token/strategy_choice.js';
import { jobTitle } from '../validation/report_words.js';
import { readRegionConfig } from './region_config.js';
import type { StateDirectory } from './state_directory.js';
import type { TokenReport } from './token_form.js';

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
