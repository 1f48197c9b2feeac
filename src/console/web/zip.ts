/** A file of an archive. */
export interface ZipEntry {
  /** Without folders. */
  readonly name: string;
  readonly octets: Uint8Array;
}

const SIGNATURES = { file: 0x04034b50, directory: 0x02014b50, end: 0x06054b50 } as const;
/** Version 1.0 of the format is enough for what is stored as it is. */
const VERSION = 10;
/** Names are UTF-8. */
const UTF8_FLAG = 0x0800;
const SIZES = { file: 30, directory: 46, end: 22 } as const;

/**
 * An archive of a few small files, stored and not compressed.
 *
 * @param atMs - time of the files, milliseconds since the epoch
 * @source PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16
 */
export function zipArchive(entries: readonly ZipEntry[], atMs: number): Uint8Array<ArrayBuffer> {
  const files = entries.map(({ name, octets }) => ({
    name: new TextEncoder().encode(name),
    octets,
    crc: crc32(octets),
  }));
  const contents = files.reduce((sum, { name, octets }) => sum + SIZES.file + name.length + octets.length, 0);
  const directory = files.reduce((sum, { name }) => sum + SIZES.directory + name.length, 0);
  const archive = new Uint8Array(contents + directory + SIZES.end);
  const view = new DataView(archive.buffer);
  const [date, time] = dosTime(atMs);
  let at = 0;
  const put16 = (...values: readonly number[]): void => {
    for (const value of values) view.setUint16((at += 2) - 2, value, true);
  };
  const put32 = (...values: readonly number[]): void => {
    for (const value of values) view.setUint32((at += 4) - 4, value, true);
  };
  const put = (octets: Uint8Array): void => {
    archive.set(octets, at);
    at += octets.length;
  };
  const offsets: number[] = [];
  for (const { name, octets, crc } of files) {
    offsets.push(at);
    put32(SIGNATURES.file);
    put16(VERSION, UTF8_FLAG, 0, time, date);
    put32(crc, octets.length, octets.length);
    put16(name.length, 0);
    put(name);
    put(octets);
  }
  for (const [index, { name, octets, crc }] of files.entries()) {
    put32(SIGNATURES.directory);
    put16(VERSION, VERSION, UTF8_FLAG, 0, time, date);
    put32(crc, octets.length, octets.length);
    put16(name.length, 0, 0, 0, 0);
    put32(0, offsets[index] ?? 0);
    put(name);
  }
  put32(SIGNATURES.end);
  put16(0, 0, files.length, files.length);
  put32(directory, contents);
  put16(0);
  return archive;
}

/** Date and time as MS-DOS had them: from 1980 on, in steps of two seconds. */
function dosTime(ms: number): readonly [date: number, time: number] {
  const at = new Date(ms);
  const date = (Math.max(0, at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate();
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1);
  return [date, time];
}

/** @source ISO/IEC 13239; the polynomial in reversed order */
function crc32(octets: Uint8Array): number {
  let crc = 0xffffffff;
  for (const octet of octets) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return (crc ^ 0xffffffff) >>> 0;
}
