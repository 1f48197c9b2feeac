import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { ConfigError } from '../errors.js';
import { closest } from './closest.js';

/** A YAML text that remembers where everything stands. */
export interface YamlSource {
  readonly value: unknown;
  /** The error that names each problem with its line and column, the first one in `details`. */
  refuse(issues: readonly Issue[]): ConfigError;
}

type Issue = Pick<z.core.$ZodIssue, 'code' | 'path' | 'message'>;

interface Position {
  readonly line: number;
  readonly column: number;
}

/** Problems shown at once: the later ones are often consequences. */
const PROBLEMS_MAX = 10;
/** Characters of a file: a lab of 16 regions has about 3,000. */
const CHARACTERS_MAX = 1_000_000;

/**
 * Reads one YAML document.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_FILE` for what is not YAML, a member that is there twice, or a text that is too long
 */
export function parseYaml(text: string, file: string): YamlSource {
  if (text.length > CHARACTERS_MAX) {
    throw new ConfigError('ERR_CONFIG_FILE', `${file} is longer than ${CHARACTERS_MAX} characters`, {
      details: { file },
    });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const [problem] = document.errors;
  if (problem !== undefined) throw configError(file, [{ position: at(problem.pos[0]), text: problem.message }]);
  return {
    value: document.toJS({ maxAliasCount: 100 }) as unknown,
    refuse: (issues) =>
      configError(
        file,
        issues
          .slice(0, PROBLEMS_MAX)
          .flatMap((issue) =>
            problemsOf(issue, document).map((found) => ({ position: at(found.offset), text: found.text })),
          ),
      ),
  };
}

function problemsOf(issue: Issue, document: Document): { readonly offset: number; readonly text: string }[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  const where = path.length === 0 ? '' : `${path.join('.')}: `;
  if (issue.code === 'unrecognized_keys') {
    const { keys } = issue as z.core.$ZodIssueUnrecognizedKeys;
    return keys.map((key) => ({
      offset: offsetOf(document, [...path, key], 'key'),
      text: `${where}there is no member ${JSON.stringify(key)}${suggestion(key, KNOWN_MEMBERS)}`,
    }));
  }
  if (issue.code === 'invalid_key') {
    const [inner] = (issue as z.core.$ZodIssueInvalidKey).issues;
    return [{ offset: offsetOf(document, path, 'key'), text: `${where}${inner?.message ?? issue.message}` }];
  }
  return [{ offset: offsetOf(document, path, 'value'), text: `${where}${issue.message}` }];
}

/** Every member that a lab file can have, for suggestions. */
const KNOWN_MEMBERS = [
  'partition',
  'account',
  'endpoint',
  'credentials',
  'accessKeyId',
  'secretAccessKey',
  'principal',
  'sessionToken',
  'expires',
  'tls',
  'certificate',
  'key',
  'authority',
  'policy',
  'regions',
  'listen',
  'token',
  'module',
  ...['dialect', 'mechanisms', 'kdfs', 'attributes', 'calls', 'class', 'keyType', 'forbid', 'require'],
  'label',
  'slot',
  'pin',
  'file',
  'environment',
  'proxy',
  'profile',
  'hsm',
  'outsideToken',
  'keyStorage',
  ...['seed', 'keys', 'keyId', 'aliases', 'region', 'multiRegion', 'replicas', 'description', 'keySpec', 'keyUsage'],
  ...['origin', 'tags', 'bypassPolicyLockoutSafetyCheck', 'grants', 'name', 'granteePrincipal', 'retiringPrincipal'],
  ...['operations', 'constraints', 'encryptionContextEquals', 'encryptionContextSubset', 'rotation', 'periodDays'],
  ...['material', 'validTo', 'validFor', 'enabled'],
] as const;

function suggestion(word: string, known: readonly string[]): string {
  const near = closest(word, known);
  return near === undefined ? '' : `; did you mean ${near}?`;
}

/** Where a path stands in the text; for a member that is missing, where the nearest thing around it stands. */
function offsetOf(document: Document, path: readonly (string | number)[], part: 'key' | 'value'): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const steps = path.slice(0, length);
    const last = steps.at(-1);
    const parent: unknown = length === 0 ? undefined : document.getIn(steps.slice(0, -1), true);
    if (part === 'key' && isMap(parent)) {
      const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(last));
      if (isNode(pair?.key)) return pair.key.range?.[0] ?? 0;
    }
    const node: unknown = length === 0 ? document.contents : document.getIn(steps, true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

function configError(
  file: string,
  problems: readonly { readonly position: Position; readonly text: string }[],
): ConfigError {
  const text = problems
    .map(({ position, text: problem }) => `${file}:${position.line}:${position.column}: ${problem}`)
    .join('\n');
  const first = problems[0]?.position ?? { line: 1, column: 1 };
  return new ConfigError('ERR_CONFIG_FILE', text, { details: { file, line: first.line, column: first.column } });
}
