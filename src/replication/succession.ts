import type { KnownPrimary } from './journal.js';
import type { Lineage } from './key_certificate.js';

/** How what a message says of a key's primary Regions stands to what is known here. */
export type Succession =
  | { readonly kind: 'same' | 'newer' | 'older' }
  /** Two hand-overs of one generation name different regions: `by` has signed both. */
  | { readonly kind: 'fork'; readonly by: string; readonly regions: readonly [known: string, told: string] };

/**
 * Compares a verified lineage with the one that is known, hand-over by hand-over, so that a fork shows also behind later hand-overs.
 *
 * @source docs/PROTOCOL.md section 2.2
 */
export function succeed(known: KnownPrimary | undefined, lineage: Lineage): Succession {
  if (known === undefined) return { kind: lineage.path.length === 0 ? 'same' : 'newer' };
  for (const [index, told] of lineage.path.entries()) {
    const before = known.path[index];
    if (before === undefined) return { kind: 'newer' };
    if (before === told) continue;
    return { kind: 'fork', by: lineage.path[index - 1] ?? lineage.birth.originRegion, regions: [before, told] };
  }
  return { kind: known.path.length > lineage.path.length ? 'older' : 'same' };
}

/** What is kept of a lineage. */
export function primaryOf(lineage: Lineage): KnownPrimary {
  return {
    region: lineage.primaryRegion,
    generation: lineage.primaryGeneration,
    frozen: false,
    path: lineage.path,
  };
}
