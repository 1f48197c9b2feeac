import { runCommandLine } from './surfaces/cli/command_line.js';
import type { Programs } from './surfaces/cli/programs.js';

/** Each program is loaded when its command runs, and no sooner. */
const programs: Programs = {
  startRegion: async (config) => (await import('./compose.js')).startRegion(config),
  provisionRegion: async (config, challenge) => (await import('./compose.js')).provisionRegion(config, challenge),
  startProxy: async (config) => (await import('./compose_proxy.js')).startProxy(config),
  startFrontDoor: async (config) => (await import('./compose_front_door.js')).startFrontDoor(config),
  startConsole: async (config) => (await import('./compose_console.js')).startConsole(config),
  openAuthority: async (token, profile) => (await import('./compose_authority.js')).openAuthority(token, profile),
  listTokens: async (module) => (await import('./compose_token.js')).listTokens(module),
  holdDatabases: async () => (await import('./adapters/held_databases.js')).holdDatabases,
  probeToken: async (token) => (await import('./compose_token.js')).probeConfiguredToken(token),
};

/** Time that a command that is done has to let go of everything, milliseconds; then it ends anyway. */
const LINGER_MS_MAX = 5_000;

// Databases, logs, sockets and tokens: whatever any of these programs makes is for its user only.
process.umask(0o077);
process.exitCode = await runCommandLine(process.argv, programs);
setTimeout(() => process.exit(), LINGER_MS_MAX).unref();
