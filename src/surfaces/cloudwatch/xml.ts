import type { WireFailure } from './failure.js';
import { membersOf, type Shape, type StructureShape } from './shape.js';

const NAMESPACE = 'http://monitoring.amazonaws.com/doc/2010-08-01/';

/**
 * The answer of the AWS Query protocol.
 *
 * @param output - null for an operation that answers nothing
 * @source Smithy, AWS query protocol
 */
export function writeXmlAnswer(
  operation: string,
  output: StructureShape | null,
  value: object,
  requestId: string,
): string {
  const result = output === null ? '' : element(`${operation}Result`, inner(output, value));
  const metadata = element('ResponseMetadata', element('RequestId', escapeText(requestId)));
  return `<${operation}Response xmlns="${NAMESPACE}">${result}${metadata}</${operation}Response>\n`;
}

/** A failure in the Query protocol. */
export function writeXmlFailure({ fault, queryCode, message }: WireFailure, requestId: string): string {
  const error = [
    element('Type', fault),
    element('Code', escapeText(queryCode)),
    element('Message', escapeText(message)),
  ].join('');
  return (
    `<ErrorResponse xmlns="${NAMESPACE}">${element('Error', error)}` +
    `${element('RequestId', escapeText(requestId))}</ErrorResponse>\n`
  );
}

function inner(shape: Shape, value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (shape.type === 'list' && Array.isArray(value)) {
    return value.map((item: unknown) => element('member', inner(shape.member, item))).join('');
  }
  if (shape.type === 'structure' && typeof value === 'object' && value !== null) {
    const values = new Map<string, unknown>(Object.entries(value));
    return membersOf(shape)
      .filter(([name]) => values.get(name) !== undefined)
      .map(([name, member]) => element(name, inner(member, values.get(name))))
      .join('');
  }
  return escapeText(String(value));
}

function element(name: string, content: string): string {
  return `<${name}>${content}</${name}>`;
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ['\r', '&#xD;'],
]);

/** Characters that XML 1.0 does not know are left out. */
function escapeText(text: string): string {
  return text
    .replaceAll(/[\0-\b\v\f\u000e-\u001f\ufffe\uffff]/g, '')
    .replaceAll(/[&<>"\r]/g, (character) => ENTITIES.get(character) ?? '');
}
