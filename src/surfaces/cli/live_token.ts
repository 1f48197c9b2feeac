import { join, resolve } from 'node:path';
import { MANAGED_MODULES, type LabPin, type LabToken } from '../../lab/lab_file.js';
import type { PinSource } from '../../token/native.js';
import { ValidationError } from '../../validation/errors.js';
import type { TokenReference } from '../../validation/token_reference.js';
import { readDialect } from './dialect_file.js';

/** A token that is to be a region's for the time of one command. */
export interface LiveToken {
  /** What the user calls it. */
  readonly name: string;
  /** As a lab file would name it. Without label and slot it is made, and removed with its directory. */
  readonly token: LabToken;
}

const FORM =
  'NAME=MODULE[,label=LABEL][,slot=NUMBER][,pin-file=FILE][,pin-environment=VARIABLE][,library-parameters=TEXT][,dialect=FILE][,environment.VARIABLE=VALUE]';
const MEMBERS = ['label', 'slot', 'pin-file', 'pin-environment', 'library-parameters', 'dialect'];
const ENVIRONMENT = /^environment\.([A-Za-z_]\w*)$/u;

/** What `--token` takes, for the help. */
export const LIVE_TOKEN_FORM = FORM;

/**
 * Reads a token as `--token` names it: `hsm=/opt/hsm/lib/p11.so,label=test,pin-file=hsm.pin`, or `soft=softhsm2` for a token that is made.
 *
 * @throws {@link ValidationError} `ERR_VALIDATION_REQUEST`
 */
export function parseLiveToken(text: string): LiveToken {
  const refuse = (why: string): ValidationError =>
    new ValidationError('ERR_VALIDATION_REQUEST', `--token ${text}: ${why}`, { remedy: `a token is written ${FORM}` });
  const [head = '', ...rest] = text.split(',');
  const [name, module] = splitOnce(head);
  if (!/^[\w.-]{1,32}$/u.test(name)) throw refuse('a name is 1 to 32 letters, digits, hyphens, points and underscores');
  if (module === undefined || module === '') throw refuse('which module?');
  const members = new Map<string, string>();
  for (const part of rest) {
    const [member, value] = splitOnce(part);
    const isKnown = MEMBERS.includes(member) || ENVIRONMENT.test(member);
    if (!isKnown || value === undefined || value === '') throw refuse(`what is "${part}"?`);
    if (members.has(member)) throw refuse(`${member} is there twice`);
    members.set(member, value);
  }
  const label = members.get('label');
  const slot = members.get('slot');
  if (slot !== undefined && !/^\d{1,15}$/u.test(slot)) throw refuse('a slot is a whole number');
  const isOfOurs = label === undefined && slot === undefined;
  if (isOfOurs && !(MANAGED_MODULES as readonly string[]).includes(module)) {
    throw refuse(`a token of ${module} needs its label or its slot`);
  }
  const pin = pinOf(members);
  const libraryParameters = members.get('library-parameters');
  const dialect = members.get('dialect');
  const environment = environmentOf(members);
  if (isOfOurs && members.size > 0) throw refuse('a token that is made here has a PIN and a place of its own');
  if (!isOfOurs && pin === undefined) throw refuse('a token of your own needs pin-file or pin-environment');
  return {
    name,
    token: {
      module: module.includes('/') ? resolve(module) : module,
      ...(label === undefined ? {} : { label }),
      ...(slot === undefined ? {} : { slot: Number(slot) }),
      ...(pin === undefined ? {} : { pin }),
      ...(libraryParameters === undefined ? {} : { libraryParameters }),
      ...(dialect === undefined ? {} : { dialect: readDialect(dialect) }),
      ...(Object.keys(environment).length === 0 ? {} : { environment }),
    },
  };
}

/** Whether a token is made for the command, and goes with its directory. */
export function isMade({ token }: LiveToken): boolean {
  return token.label === undefined && token.slot === undefined;
}

/**
 * The same token as a process that looks at it opens it.
 *
 * @param directory - of a token that is made
 */
export function referenceTo({ token }: LiveToken, directory: string): TokenReference {
  const { module, label, slot, libraryParameters, environment, dialect } = token;
  const kind = MANAGED_MODULES.find((each) => each === module);
  if (label === undefined && slot === undefined && kind !== undefined) {
    const own = 'keyferry-interop';
    return {
      ...{
        module,
        settings: {},
        selector: { label: own },
        userPin: { kind: 'file', path: join(directory, 'user.pin') },
      },
      soPin: kind === 'nss' ? { kind: 'empty' } : { kind: 'file', path: join(directory, 'so.pin') },
      ...{ scratch: { kind, directory }, initialiseAs: own },
    };
  }
  const settings = {
    ...(libraryParameters === undefined ? {} : { libraryParameters }),
    ...(environment === undefined ? {} : { environment }),
  };
  const selector = { ...(label === undefined ? {} : { label }), ...(slot === undefined ? {} : { slotId: slot }) };
  return {
    module,
    settings,
    ...(dialect !== undefined && { dialect }),
    selector,
    userPin: pinSource(token.pin),
    soPin: null,
    scratch: null,
    initialiseAs: null,
  };
}

function pinSource(pin: LabPin | undefined): PinSource {
  if (typeof pin === 'object') {
    return 'file' in pin ? { kind: 'file', path: pin.file } : { kind: 'environment', name: pin.environment };
  }
  return { kind: 'empty' };
}

function pinOf(members: ReadonlyMap<string, string>): LabPin | undefined {
  const file = members.get('pin-file');
  if (file !== undefined) return { file: resolve(file) };
  const environment = members.get('pin-environment');
  return environment === undefined ? undefined : { environment };
}

/** Variables that the module reads, by their names. */
function environmentOf(members: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const found = [...members].flatMap(([member, value]) => {
    const name = ENVIRONMENT.exec(member)?.[1];
    return name === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}

function splitOnce(text: string): readonly [string, string | undefined] {
  const at = text.indexOf('=');
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
