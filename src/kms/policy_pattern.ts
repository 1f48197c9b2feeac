/** A place in a pattern that fits any one code unit (`?`), and one that fits any text (`*`). */
export const ANY_UNIT = -1;
export const ANY_TEXT = -2;

/** A pattern as UTF-16 code units and {@link ANY_UNIT} and {@link ANY_TEXT}. */
export type PatternUnits = readonly number[];

export type Matcher = (text: string) => boolean;

const STAR = 0x2a;
const QUESTION_MARK = 0x3f;
const WORD_BITS = 32;

/** The units of a text that stands for itself. */
export function literalUnits(text: string): PatternUnits {
  return Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
}

/** The units of a text in which `*` and `?` are wildcards. */
export function wildcardUnits(text: string): PatternUnits {
  return literalUnits(text).map((unit) => {
    if (unit === STAR) return ANY_TEXT;
    return unit === QUESTION_MARK ? ANY_UNIT : unit;
  });
}

/** Compiles a text in which `*` and `?` are wildcards. */
export function compileWildcards(text: string): Matcher {
  return compilePattern(wildcardUnits(text));
}

/**
 * Compiles a pattern. Matching never backtracks: it takes time in proportion to the text, times the pattern's length in machine
 * words, so that nobody who chooses text or pattern makes it slow.
 */
export function compilePattern(units: PatternUnits): Matcher {
  const segments = splitAt(units, ANY_TEXT);
  const head = segments[0] ?? [];
  if (segments.length === 1) {
    const whole = asText(head);
    if (whole !== undefined) return (text) => text === whole;
    return (text) => text.length === head.length && fitsAt(head, text, 0);
  }
  const tail = segments.at(-1) ?? [];
  const finders = segments
    .slice(1, -1)
    .filter((segment) => segment.length > 0)
    .map(compileFinder);
  const start = asText(head);
  if (finders.length === 0 && tail.length === 0 && start !== undefined) {
    return start === '' ? () => true : (text) => text.startsWith(start);
  }
  return (text) => {
    const tailAt = text.length - tail.length;
    if (tailAt < head.length || !fitsAt(head, text, 0) || !fitsAt(tail, text, tailAt)) return false;
    let at = head.length;
    // The leftmost place for each segment leaves the most room for the next.
    for (const find of finders) {
      at = find(text, at, tailAt);
      if (at < 0) return false;
    }
    return true;
  };
}

function splitAt(units: PatternUnits, separator: number): readonly PatternUnits[] {
  const segments: number[][] = [[]];
  for (const unit of units) {
    if (unit === separator) segments.push([]);
    else segments.at(-1)?.push(unit);
  }
  return segments;
}

/** The text that a segment stands for, unless it has wildcards. */
function asText(segment: PatternUnits): string | undefined {
  return segment.includes(ANY_UNIT) ? undefined : segment.map((unit) => String.fromCharCode(unit)).join('');
}

function fitsAt(segment: PatternUnits, text: string, at: number): boolean {
  return segment.every((unit, index) => unit === ANY_UNIT || unit === text.charCodeAt(at + index));
}

/** Finds the end of a segment's first occurrence in `text` between two places; -1 where there is none. */
type Finder = (text: string, from: number, to: number) => number;

/**
 * Shift-And: bit `i` of the state says that the first `i + 1` units of the segment end here.
 *
 * @source Baeza-Yates and Gonnet, "A new approach to text searching", 1992
 */
function compileFinder(segment: PatternUnits): Finder {
  const words = Math.ceil(segment.length / WORD_BITS);
  const others = new Int32Array(words);
  const masks = new Map<number, Int32Array>();
  for (const unit of segment) if (unit !== ANY_UNIT) masks.set(unit, new Int32Array(words));
  for (const [index, unit] of segment.entries()) {
    const bit = 1 << (index % WORD_BITS);
    const word = Math.floor(index / WORD_BITS);
    const fitting = unit === ANY_UNIT ? [others, ...masks.values()] : [masks.get(unit) ?? others];
    for (const mask of fitting) mask[word] = (mask[word] ?? 0) | bit;
  }
  const lastWord = words - 1;
  const lastBit = 1 << ((segment.length - 1) % WORD_BITS);
  return (text, from, to) => {
    const state = new Int32Array(words);
    for (let at = from; at < to; at += 1) {
      const mask = masks.get(text.charCodeAt(at)) ?? others;
      let carry = 1;
      for (let word = 0; word < words; word += 1) {
        const before = state[word] ?? 0;
        state[word] = ((before << 1) | carry) & (mask[word] ?? 0);
        carry = before >>> (WORD_BITS - 1);
      }
      if (((state[lastWord] ?? 0) & lastBit) !== 0) return at + 1;
    }
    return -1;
  };
}
