import type { LabRecord } from '../../lab/record_reader.js';
import type { Output } from './output.js';

type Colours = Output['colours'];
type Members = Readonly<Record<string, unknown>>;

/** One line of an audit trail. */
export function describeTrail({ atMs, region, value }: LabRecord, colours: Colours): string {
  const { eventName, errorCode, errorMessage } = value;
  const name = textOf(eventName).padEnd(NAME_WIDTH);
  const failure = errorCode === undefined ? '' : ` ${colours.red(textOf(errorCode))}`;
  const why = errorMessage === undefined ? '' : ` ${colours.dim(oneLine(textOf(errorMessage)))}`;
  const found = resourcesOf(value).map(resourceName);
  // What was called by a name that nothing has is shown by that name.
  const about = (found.length > 0 ? found : calledBy(value).map(oneLine)).join(' ');
  return `${start(atMs, region, colours)} ${colours.bold(name)} ${who(value, colours)}${about === '' ? '' : ` ${about}`}${failure}${why}`;
}

/** One line of the security audit. */
export function describeSecurity({ atMs, region, value }: LabRecord, colours: Colours): string {
  const { code, peer, keyId, detail, strategy } = value;
  const parts = [
    typeof peer === 'string' ? `with ${peer}` : '',
    textOf(keyId),
    textOf(strategy),
    colours.dim(oneLine(textOf(detail))),
  ];
  const said = parts.filter((part) => part !== '').join(' ');
  return `${start(atMs, region, colours)} ${isError(value) ? colours.red(textOf(code)) : textOf(code)} ${said}`.trimEnd();
}

/** One line for an event of a key. */
export function describeKeyEvent({ atMs, region, value }: LabRecord, colours: Colours): string {
  const { 'key-id': keyId, ...detail } = membersOf(value['detail']);
  const rest = Object.entries(detail).map(([name, member]) => `${name} ${textOf(member)}`);
  return `${start(atMs, region, colours)} ${colours.bold(textOf(value['detail-type']))} ${textOf(keyId)} ${colours.dim(rest.join(', '))}`.trimEnd();
}

/** Whether a record tells of a refusal or a failure: in the security audit, everything but how a session goes on. */
export function isError({ errorCode, code }: Members): boolean {
  if (errorCode !== undefined) return true;
  return typeof code === 'string' && (!code.startsWith('REPL_') || code.endsWith('ABORTED'));
}

/** Whether a record is about a key: by its id, its ARN, or the name by which it was called. */
export function namesKey(value: Members, name: string): boolean {
  const { keyId, detail } = value;
  const names = [...resourcesOf(value), textOf(keyId), textOf(membersOf(detail)['key-id']), ...calledBy(value)];
  return names.some((each) => each === name || each.endsWith(`/${name}`) || (name !== '' && each.endsWith(`:${name}`)));
}

/** Longest name of an operation, `GenerateDataKeyPairWithoutPlaintext`, is rare: the usual ones are shorter. */
const NAME_WIDTH = 26;
const REGION_WIDTH = 14;
const CALLED_BY = ['keyId', 'targetKeyId', 'sourceKeyId', 'destinationKeyId', 'aliasName'];

function start(atMs: number, region: string, colours: Colours): string {
  const time = new Date(atMs).toISOString().slice(0, 19).replace('T', ' ');
  return `${colours.dim(`${time}Z`)} ${region.padEnd(REGION_WIDTH)}`;
}

/** Who called: the end of the principal's ARN. */
function who({ userIdentity }: Members, colours: Colours): string {
  const { arn, invokedBy } = membersOf(userIdentity);
  const text = typeof arn === 'string' ? (arn.split(':').at(-1) ?? arn) : textOf(invokedBy);
  return colours.dim(oneLine(text));
}

function resourcesOf({ resources }: Members): readonly string[] {
  if (!Array.isArray(resources)) return [];
  return resources.map((resource: unknown) =>
    typeof resource === 'string' ? resource : textOf(membersOf(resource)['ARN']),
  );
}

/** Names of keys and aliases as the caller wrote them. */
function calledBy({ requestParameters }: Members): readonly string[] {
  const called = membersOf(requestParameters);
  return CALLED_BY.map((member) => textOf(called[member])).filter((name) => name !== '');
}

/** `key/ID` as its id, `alias/NAME` as it is. */
function resourceName(arn: string): string {
  return oneLine(arn.slice(arn.lastIndexOf(':') + 1).replace(/^key\//u, ''));
}

function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null ? (value as Members) : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** Texts of clients' may hold line ends, and sequences that a terminal obeys. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}
