import { CKA_TOKEN } from './cryptoki.js';
import { ProgramBuffer } from './program_buffer.js';
import type { Template, TemplateValue } from './template.js';

/** Numbers of the kinds of value, as `native/src/program.cc` has them. */
const VALUE = { bool: 0, number: 1, octets: 2, numbers: 3, template: 4 } as const;
const ATTRIBUTES_MAX = 128;
const WORD = 0x1_0000_0000;

interface Encoded {
  readonly words: Uint32Array;
  readonly token: boolean;
}

const precomputed = new WeakMap<Template, Encoded>();

/**
 * Encodes a template once for all the jobs that will use it. For templates that never change: those of message keys.
 *
 * @returns the same template
 */
export function precomputeTemplate(template: Template): Template {
  const program = new ProgramBuffer();
  write(program, template);
  precomputed.set(template, { words: program.copyFrom(0), token: hasToken(template) });
  return template;
}

/**
 * Writes a template.
 *
 * @throws RangeError when a number is not a `CK_ULONG` or there are more than 128 attributes
 */
export function encodeTemplate(program: ProgramBuffer, template: Template): void {
  const known = precomputed.get(template);
  if (known === undefined) write(program, template);
  else program.putWords(known.words);
}

/** Whether a template asks for an object that stays in the token. */
export function makesTokenObject(template: Template): boolean {
  return precomputed.get(template)?.token ?? hasToken(template);
}

function hasToken(template: Template): boolean {
  for (const attribute of template) if (attribute.type === CKA_TOKEN) return attribute.value === true;
  return false;
}

function write(program: ProgramBuffer, template: Template): void {
  if (template.length > ATTRIBUTES_MAX) throw new RangeError(`a template has at most ${ATTRIBUTES_MAX} attributes`);
  program.word(template.length);
  for (const { type, value } of template) writeAttribute(program, type, value);
}

function writeAttribute(program: ProgramBuffer, type: number, value: TemplateValue): void {
  if (typeof value === 'boolean') {
    program.words3(type, VALUE.bool, value ? 1 : 0);
  } else if (typeof value === 'number') {
    program.words2(type, VALUE.number);
    writeNumber(program, value);
  } else if (value instanceof Uint8Array) {
    program.words2(type, VALUE.octets);
    program.putOctets(value);
  } else if ('template' in value) {
    program.words2(type, VALUE.template);
    write(program, value.template);
  } else {
    program.words3(type, VALUE.numbers, value.length);
    for (const number of value) writeNumber(program, number);
  }
}

function writeNumber(program: ProgramBuffer, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a CK_ULONG`);
  program.words2(value % WORD, Math.floor(value / WORD));
}
