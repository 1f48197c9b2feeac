import { readFileSync } from 'node:fs';
import { ConfigError } from '../../errors.js';
import { parseYaml } from '../../lab/yaml_source.js';
import { dialectForm, type ModuleDialect } from '../../token/dialect.js';

/** What `--dialect` is, for the help. */
export const DIALECT_OPTION =
  'file that says where the library departs from the standard: what lab.yaml has under dialect';

/**
 * Reads a module's dialect from a file of its own, YAML or JSON: the members that `dialect:` has in lab.yaml.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_FILE`, with line and column of each problem
 * @source docs/MODULES.md
 */
export function readDialect(file: string): ModuleDialect {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError('ERR_CONFIG_FILE', `the dialect ${file} cannot be read`, { cause, details: { file } });
  }
  const source = parseYaml(text, file);
  const parsed = dialectForm.safeParse(source.value);
  if (!parsed.success) throw source.refuse(parsed.error.issues);
  return parsed.data;
}
