/** What a program tells whoever started it, over the channel of `child_process.spawn`. */
export type ProgramMessage =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly remedy: string | null };

/** The message, or undefined for anything else that came over the channel. */
export function asProgramMessage(value: unknown): ProgramMessage | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, url, code, message, remedy } = value as Record<string, unknown>;
  if (kind === 'ready' && typeof url === 'string') return { kind, url };
  if (kind === 'failed' && typeof code === 'string' && typeof message === 'string') {
    return { kind, code, message, remedy: typeof remedy === 'string' ? remedy : null };
  }
  return undefined;
}
