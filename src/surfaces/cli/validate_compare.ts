import { InvalidArgumentError, type Command } from 'commander';
import { SEVERITIES } from '../../validation/check.js';
import { compareModules, regressionsOf } from '../../validation/comparison.js';
import { ValidationError } from '../../validation/errors.js';
import { readModuleFile } from '../../validation/module_file.js';
import { act, command, type CommonOptions } from './command_context.js';
import { severityNamed } from './severity_option.js';
import { comparisonText } from './validate_compare_text.js';

interface CompareOptions extends CommonOptions {
  /** Severity, or true where none was named. */
  readonly failOnRegression?: string | true;
  readonly noise: number;
}

/** What two runs over the same software token on a busy machine differ by. */
const NOISE = 1.5;

/** `keyferry validate compare`: what is different between two modules, or two versions of one. */
export function compareCommand(): Command {
  const target = command(
    'compare',
    'show what is different between two modules or versions, from reports of keyferry validate',
    'keyferry validate compare report-2.5 report-2.6\nkeyferry validate compare old/findings.json new/findings.json --fail-on-regression security',
  )
    .argument('<before>', 'folder of a report, findings.json or module-profile.json')
    .argument('<after>', 'the same of the other module or version')
    .option(
      '--fail-on-regression [severity]',
      `exit 1 where something got worse, at least as grave as ${SEVERITIES.join(', ')} (default: strategy)`,
    )
    .option('--noise <ratio>', 'ratio of performance within which a difference says nothing', ratioOption, NOISE);
  return act<CompareOptions>(target, async ({ output, options, args }) => {
    const { failOnRegression } = options;
    const least =
      failOnRegression === undefined || failOnRegression === true ? 'strategy' : severityNamed(failOnRegression);
    const before = readModuleFile(args[0] ?? '');
    const after = readModuleFile(args[1] ?? '');
    const comparison = compareModules(before, after, options);
    const regressions = regressionsOf(comparison, least);
    const [from, to] = [before, after].map(({ name, identity }) => ({ name, identity }));
    output.result({ before: from, after: to, ...comparison, regressions }, (colours) =>
      comparisonText({ before, after, comparison, noise: options.noise }, colours),
    );
    if (failOnRegression === undefined || regressions.length === 0) return;
    throw new ValidationError('ERR_VALIDATION_FINDINGS', `got worse: ${regressions.join('; ')}`);
  });
}

function ratioOption(text: string): number {
  const ratio = Number(text);
  if (!Number.isFinite(ratio) || ratio < 1) throw new InvalidArgumentError('A ratio is 1 or more, for example 1.5.');
  return ratio;
}
