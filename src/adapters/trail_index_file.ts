import { createHash } from 'node:crypto';
import {
  matchesQuery,
  mayBeWithin,
  octetsOf,
  parseTrailLine,
  type FoundEvent,
  type TrailPage,
  type TrailQuery,
  type TrailSearch,
} from '../audit/trail_query.js';
import { LIMITS } from '../limits.js';
import { LineFiles, type LinePlace } from '../line_files.js';

/** A place as a token: the query's digest, the file and the offset. */
const TOKEN = /^(?<query>[\w-]{22})\.(?<file>[\w-]{22})\.(?<offset>\d{1,15})$/;

/**
 * Looks for events in the files of a trail, from the end to the beginning. What one page costs is bounded by the octets that it reads:
 * a trail without any event that is looked for answers empty pages until it is through.
 */
export class TrailFileSearch implements TrailSearch {
  readonly #files: LineFiles;
  readonly #pageBytesMax: number;

  /** @param options.pageBytesMax - octets that one page reads */
  constructor(path: string, options: { readonly pageBytesMax?: number; readonly pieceBytes?: number } = {}) {
    this.#files = new LineFiles(path, LIMITS.trailEarlierFilesMax, options);
    this.#pageBytesMax = options.pageBytesMax ?? LIMITS.trailLookupBytesMax;
  }

  /** {@inheritDoc TrailSearch.page} */
  async page(
    query: TrailQuery,
    { max, after }: { readonly max: number; readonly after: string | null },
  ): Promise<TrailPage | null> {
    const digest = digestOf(query);
    const place = after === null ? undefined : placeOf(after, digest);
    if (place === null || (place !== undefined && !(await this.#files.has(place)))) return null;
    const needle = octetsOf(query.attribute);
    const events: FoundEvent[] = [];
    let bytes = 0;
    for await (const lines of this.#files.backwards(place)) {
      for (const line of lines) {
        bytes += line.octets.length;
        if (!mayBeWithin(line.octets, query) || (needle !== undefined && !line.octets.includes(needle))) continue;
        const found = parseTrailLine(line.octets);
        if (found === undefined || !matchesQuery(found.event, query)) continue;
        // One more than a page tells that there is more.
        if (events.length === max) return { events, next: tokenOf(digest, line.next) };
        events.push(found);
      }
      const oldest = lines.at(-1);
      if (bytes >= this.#pageBytesMax && oldest !== undefined) return { events, next: tokenOf(digest, oldest.place) };
    }
    return { events, next: null };
  }
}

function digestOf({ attribute, startMs, endMs }: TrailQuery): string {
  const text = JSON.stringify([attribute?.key, attribute?.value, startMs, endMs]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

function tokenOf(digest: string, { file, offset }: LinePlace): string {
  return `${digest}.${file}.${offset}`;
}

/** Null for what no page of this query has given. */
function placeOf(token: string, digest: string): LinePlace | null {
  const { query, file, offset } = TOKEN.exec(token)?.groups ?? {};
  return query === digest && file !== undefined ? { file, offset: Number(offset) } : null;
}
