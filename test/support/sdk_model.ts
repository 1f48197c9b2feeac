import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as sdk from '@aws-sdk/client-kms';

/** A member of a structure in the model of the installed SDK. */
export interface ModelMember {
  readonly required: boolean;
  /** As the SDK declares it, without `undefined`: `string`, `Uint8Array`, `Tag[]`, the name of an enum. */
  readonly type: string;
}

/** An operation in the model of the installed SDK. */
export interface ModelOperation {
  readonly input: ReadonlyMap<string, ModelMember>;
  readonly output: ReadonlyMap<string, ModelMember>;
  /** Exceptions that it may raise. */
  readonly exceptions: ReadonlySet<string>;
}

/** Kinds of schemas. */
const STRUCTURE = 3;
const OPERATION = 9;
const ERROR = -3;

const EXPORTED: ReadonlyMap<string, unknown> = new Map(Object.entries(sdk));
const TYPES = join(dirname(createRequire(import.meta.url).resolve('@aws-sdk/client-kms/package.json')), 'dist-types');
const DECLARATIONS = readFileSync(join(TYPES, 'models/models_0.d.ts'), 'utf8');

/** Every operation of the SDK's model by its name. */
export function modelOperations(): ReadonlyMap<string, ModelOperation> {
  return new Map(
    schemas(OPERATION).map(([, , name, , input, output]) => [
      String(name),
      {
        input: membersOfSchema(input),
        output: membersOfSchema(output),
        exceptions: exceptionsOf(String(name)),
      },
    ]),
  );
}

/** Members of a structure that is a member itself. */
export function modelStructure(name: string): ReadonlyMap<string, ModelMember> {
  return membersOfSchema(() => EXPORTED.get(`${name}$`));
}

/**
 * Paths of the members of an answer that the model does not have, wherever they are in it.
 *
 * @param path - of the answer, for example the operation's name
 */
export function unmodelledMembers(
  path: string,
  answer: object,
  members: ReadonlyMap<string, ModelMember>,
): readonly string[] {
  return Object.entries(answer).flatMap(([name, value]: [string, unknown]) => {
    const type = members.get(name)?.type;
    const place = `${path}.${name}`;
    if (type === undefined) return [place];
    const structure = type.replace(/\[\]$/, '');
    if (!EXPORTED.has(`${structure}$`)) return [];
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    return values.flatMap((item) =>
      typeof item === 'object' && item !== null ? unmodelledMembers(place, item, modelStructure(structure)) : [],
    );
  });
}

/** Values of an enum; undefined where the model has none of that name. */
export function modelEnum(name: string): readonly string[] | undefined {
  const values = EXPORTED.get(name);
  return typeof values === 'object' && values !== null && !Array.isArray(values)
    ? Object.values(values).map(String)
    : undefined;
}

/** Exceptions that some operation may raise. */
export function modelExceptions(): ReadonlySet<string> {
  const names = schemas(ERROR).map(([, , name]) => String(name));
  return new Set(names.filter((name) => name !== 'KMSServiceException'));
}

function schemas(kind: number): readonly (readonly unknown[])[] {
  return [...EXPORTED.values()].filter(
    (value): value is readonly unknown[] => Array.isArray(value) && value[0] === kind,
  );
}

function membersOfSchema(reference: unknown): ReadonlyMap<string, ModelMember> {
  const schema: unknown = typeof reference === 'function' ? reference() : reference;
  // An operation without input or output has the schema `unit`.
  if (!Array.isArray(schema)) return new Map();
  const [kind, , name, , names, , requiredCount] = schema as readonly unknown[];
  if (kind !== STRUCTURE || !Array.isArray(names)) throw new Error(`the schema ${String(name)} is no structure`);
  const declared = declaredTypes(String(name));
  const required = typeof requiredCount === 'number' ? requiredCount : 0;
  return new Map(
    names.map((member: string, index) => {
      const type = declared.get(member);
      if (type === undefined) throw new Error(`${String(name)} declares no member ${member}`);
      return [member, { required: index < required, type }];
    }),
  );
}

/** Types of an interface's members. The declarations are made by a machine: one member a line, indented by four. */
function declaredTypes(interfaceName: string): ReadonlyMap<string, string> {
  const start = DECLARATIONS.indexOf(`export interface ${interfaceName} {`);
  if (start < 0) throw new Error(`the SDK declares no interface ${interfaceName}`);
  const body = DECLARATIONS.slice(start, DECLARATIONS.indexOf('\n}', start));
  return new Map(
    [...body.matchAll(/^ {4}(\w+)\??: (.+?)(?: \| undefined)?;$/gm)].map(([, member = '', type = '']) => [
      member,
      type,
    ]),
  );
}

function exceptionsOf(operation: string): ReadonlySet<string> {
  const declaration = readFileSync(join(TYPES, `commands/${operation}Command.d.ts`), 'utf8');
  const names = [...declaration.matchAll(/@throws \{@link (\w+)\}/g)].map(([, name = '']) => name);
  return new Set(names.filter((name) => name !== 'KMSServiceException'));
}
