import { runCommandLine } from './surfaces/cli/command_line.js';
import type { Programs } from './surfaces/cli/programs.js';

/** Each program is loaded when its command runs, and no sooner. */
const programs: Programs = {
  startRegion: async (config) => (await import('./compose.js')).startRegion(config),
  provisionRegion: async (config, challenge) => (await import('./compose.js')).provisionRegion(config, challenge),
  startProxy: async (config) => (await import('./compose_proxy.js')).startProxy(config),
  startFrontDoor: async (config) => (await import('./compose_front_door.js')).startFrontDoor(config),
  openAuthority: async (token, profile) => (await import('./compose_authority.js')).openAuthority(token, profile),
  probeToken: async (token) => (await import('./compose_token.js')).probeConfiguredToken(token),
};

process.exitCode = await runCommandLine(process.argv, programs);
