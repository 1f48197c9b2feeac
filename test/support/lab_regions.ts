import { openLabToken, type LabToken } from './lab_token.js';
import type { SoftwareTokenKind } from './token_directory.js';

/** Regions of every lab: A and B are honest until a test says otherwise, C is the adversary's. */
export const REGIONS = { A: 'us-east-1', B: 'eu-west-1', C: 'ap-south-1' } as const;
export type RegionLetter = keyof typeof REGIONS;

/** The kinds of token of A, B and C: SoftHSM2, NSS softoken, SoftHSM2, or what `KEYFERRY_ADVERSARY_TOKENS` lists. */
export function labKinds(): Readonly<Record<RegionLetter, SoftwareTokenKind>> {
  const wanted = (process.env['KEYFERRY_ADVERSARY_TOKENS'] || 'softhsm2,nss,softhsm2').split(',');
  const [A, B, C = A] = wanted.map((kind): SoftwareTokenKind => {
    if (kind === 'softhsm2' || kind === 'nss') return kind;
    throw new Error(`KEYFERRY_ADVERSARY_TOKENS names ${kind}, which is no software token`);
  });
  if (A === undefined || B === undefined || C === undefined)
    throw new Error('KEYFERRY_ADVERSARY_TOKENS names fewer than two tokens');
  return { A, B, C };
}

/** Tokens of the usual kinds for these regions. */
export function labTokens(letters: readonly RegionLetter[]): Partial<Record<RegionLetter, () => Promise<LabToken>>> {
  return Object.fromEntries(letters.map((letter) => [letter, () => openLabToken(labKinds()[letter])]));
}
