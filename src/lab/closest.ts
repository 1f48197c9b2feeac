/** Letters that may differ between a word and the one that was meant. */
const DISTANCE_MAX = 2;

/** The known word that somebody probably meant, or undefined where none is near. */
export function closest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = DISTANCE_MAX + 1;
  for (const candidate of known) {
    const found = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (found < bestDistance && found < candidate.length / 2) [best, bestDistance] = [candidate, found];
  }
  return best;
}

/** Insertions, deletions and replacements of one letter between two words (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
