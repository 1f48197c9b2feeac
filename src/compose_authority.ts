import { AuthorityKey } from './hsm/authority_key.js';
import type { SigningKeyInfo } from './hsm/signing_key.js';
import type { TokenConfig } from './lab/region_config.js';
import { openConfiguredToken, provisionToken } from './compose_token.js';

/** The partition authority's key, open in its own token. */
export interface OpenAuthority {
  /** Kid and public half. */
  readonly key: SigningKeyInfo;
  /** ES384 over the octets, made in the token. */
  sign(octets: Uint8Array): Promise<Uint8Array>;
  /** Octets of the token's random generator. */
  random(octets: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Makes the partition authority's token and key where they are missing, and opens them.
 *
 * @param profileFile - where the token's profile is kept
 */
export async function openAuthority(config: TokenConfig, profileFile: string): Promise<OpenAuthority> {
  await provisionToken(config, profileFile, 'authority');
  const opened = await openConfiguredToken(config, profileFile, 'authority');
  const authority = await AuthorityKey.open({ runner: opened.token.executor, capabilities: opened.capabilities });
  return {
    key: authority.info,
    sign: (octets) => authority.sign(octets),
    random: (octets) => authority.random(octets),
    close: () => opened.close(),
  };
}
