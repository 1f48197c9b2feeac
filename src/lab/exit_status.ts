/** Exit statuses of every Keyferry program. */
export const EXIT_STATUS = {
  ok: 0,
  /** It failed; the message says how. */
  failed: 1,
  /** The command line was wrong. */
  usage: 2,
  /** The token refused the PIN, or has it locked: starting again would cost one of its last tries. @source sysexits(3), EX_NOPERM */
  pinRefused: 77,
  /** The configuration is wrong: starting again cannot help. @source sysexits(3), EX_CONFIG */
  configuration: 78,
  /** Ctrl-C or SIGTERM came before it was done. @source POSIX shells, 128 + SIGINT */
  interrupted: 130,
} as const;

/** Statuses after which the same program is not started again. */
export function isFinal(status: number | null): boolean {
  return status === EXIT_STATUS.pinRefused || status === EXIT_STATUS.configuration;
}
