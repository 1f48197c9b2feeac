import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ConfigError } from '../../errors.js';
import type { ModuleDialect } from '../../token/dialect.js';
import { knownModuleNames } from '../../token/module_path.js';
import type { PinSource } from '../../token/native.js';
import { newSince } from '../../validation/baseline.js';
import { checks as catalogue } from '../../validation/catalogue.js';
import { CHECK_GROUPS, isAtLeast, SEVERITIES, type Check, type Severity } from '../../validation/check.js';
import { ValidationError } from '../../validation/errors.js';
import { readModuleFile } from '../../validation/module_file.js';
import { writeReports } from '../../validation/report_files.js';
import type { CheckResult, ValidationReport } from '../../validation/result.js';
import type { RunConditions } from '../../validation/run_conditions.js';
import { runValidation } from '../../validation/runner.js';
import type { TokenReference } from '../../validation/token_reference.js';
import { act, command, repeated, wholeNumberOption, type CommonOptions } from './command_context.js';
import { DIALECT_OPTION, readDialect } from './dialect_file.js';
import { severityNamed } from './severity_option.js';
import { compareCommand } from './validate_compare.js';
import { interopCommand } from './validate_interop.js';
import { progressText, reportText } from './validate_text.js';

interface ValidateOptions extends CommonOptions {
  /** Not of the commands below this one, so that commander cannot demand it. */
  readonly module?: string;
  readonly scratch?: boolean;
  readonly token?: string;
  readonly slot?: number;
  readonly libraryParameters?: string;
  readonly dialect?: string;
  readonly pinFile?: string;
  readonly pinEnvironment?: string;
  readonly soPinFile?: string;
  readonly initToken?: string;
  readonly group?: readonly string[];
  readonly check?: readonly string[];
  readonly quick?: boolean;
  readonly killProcesses?: boolean;
  readonly interruptCommand?: string;
  readonly resumeCommand?: string;
  readonly idleMinutes?: number;
  readonly seed?: string;
  readonly report?: string;
  readonly failOn?: string;
  readonly baseline?: string;
}

const CATALOGUE_URL = new URL('../../validation/catalogue.js', import.meta.url).href;

const EXAMPLES = [
  'keyferry validate --module softhsm2 --scratch --quick',
  'keyferry validate --module nss --scratch --report nss-report',
  'keyferry validate --module /opt/hsm/lib/p11.so --token test --pin-file hsm.pin --report report',
  'keyferry validate --module /opt/hsm/lib/p11.so --slot 1 --pin-file hsm.pin --fail-on security --baseline findings.json',
].join('\n');

/** `keyferry validate`: what a PKCS#11 token can carry, what it gets wrong, and how fast it is. */
export function validateCommand(): Command {
  const target = command(
    'validate',
    'check a PKCS#11 module: what its token can carry, what it gets wrong, what it gives away, how fast it is',
    EXAMPLES,
  )
    .option('--module <name|path>', 'softhsm2, nss, or the path of a PKCS#11 library')
    .option('--scratch', 'make a token of softhsm2 or nss in a temporary folder, and remove it at the end')
    .option('--token <label>', 'label of the token')
    .option('--slot <number>', 'slot of the token', wholeNumberOption)
    .option(
      '--library-parameters <text>',
      'what C_Initialize is given in pReserved: where NSS softoken has its database',
    )
    .option('--dialect <file>', DIALECT_OPTION)
    .option('--pin-file <file>', 'file that holds the user PIN')
    .option(
      '--pin-environment <name>',
      'environment variable that holds the user PIN (default: ask on the terminal, again after a crash)',
    )
    .option(
      '--so-pin-file <file>',
      'file that holds the PIN of the security officer: for --init-token, and for what he may see',
    )
    .option(
      '--init-token <label>',
      'initialise an empty token under this label first; a token with keys is never erased',
    )
    .option('--group <group>', `only this group, of ${CHECK_GROUPS.join(', ')}; may be repeated`, repeated)
    .option('--check <id>', 'only this check; may be repeated', repeated)
    .option('--quick', 'fewer repetitions')
    .option('--seed <text>', 'random inputs of an earlier run again')
    .option('--report <directory>', 'write findings.json, module-profile.json, junit.xml and report.html there')
    .option(
      '--kill-processes',
      "let ROB-14 kill processes that write to the token, also where the token is not the run's own: it may lose everything",
    )
    .option('--interrupt-command <command>', 'shell command by which ROB-16 takes the token away')
    .option('--resume-command <command>', 'shell command that gives the token back')
    .option(
      '--idle-minutes <number>',
      'let ROB-19 leave the token alone for so long, and use it then',
      wholeNumberOption,
    )
    .option('--fail-on <severity>', `exit 1 where there is a finding as grave as ${SEVERITIES.join(', ')}`)
    .option('--baseline <findings.json>', 'exit 1 where there is a finding that was not in this earlier run')
    .addHelpText(
      'after',
      '\nUse a token that holds nothing else: checks make and destroy objects. Exit status: 0 completed, whatever was found;\n' +
        '2 could not run; 1 completed, and --fail-on or --baseline makes what was found a failure; 130 interrupted.',
    );
  target.addCommand(compareCommand());
  target.addCommand(interopCommand());
  return act<ValidateOptions>(target, async ({ output, options }) => {
    const chosen = chooseChecks(options);
    const failOn = options.failOn === undefined ? undefined : severityNamed(options.failOn);
    const baseline = options.baseline === undefined ? undefined : readBaseline(options.baseline);
    const scratch = options.scratch === true ? mkdtempSync(join(tmpdir(), 'keyferry-validate-')) : null;
    const abort = new AbortController();
    const onSignal = (): void => abort.abort();
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
    try {
      const report = await runValidation({
        reference: referenceOf(options, scratch),
        checks: chosen,
        catalogue: CATALOGUE_URL,
        seed: options.seed ?? randomBytes(8).toString('hex'),
        isQuick: options.quick === true,
        conditions: conditionsOf(options),
        signal: abort.signal,
        onEvent: (event) => {
          const text = progressText(event);
          if (text !== undefined) output.note(text);
        },
      });
      const files = options.report === undefined ? [] : writeReports(report, options.report);
      output.result({ ...report, files }, (colours) => reportText(report, files, colours));
      failWhereAsked(report, { failOn, baseline });
    } finally {
      process.removeListener('SIGINT', onSignal);
      process.removeListener('SIGTERM', onSignal);
      if (scratch !== null) rmSync(scratch, { recursive: true, force: true });
    }
  });
}

function refuse(message: string, remedy: string): ValidationError {
  return new ValidationError('ERR_VALIDATION_REQUEST', message, { remedy });
}

/** What is said about the token, and what may be done to it. */
function conditionsOf({ idleMinutes, interruptCommand, resumeCommand, killProcesses }: ValidateOptions): RunConditions {
  if ((interruptCommand === undefined) !== (resumeCommand === undefined)) {
    throw refuse(
      'a token that is taken away has to be given back',
      'give both --interrupt-command and --resume-command',
    );
  }
  return {
    idleMinutes: idleMinutes ?? 0,
    interruption:
      interruptCommand === undefined || resumeCommand === undefined
        ? null
        : { interrupt: interruptCommand, resume: resumeCommand },
    mayKill: killProcesses === true,
  };
}

function chooseChecks({ group, check }: ValidateOptions): readonly Check[] {
  const groups = group?.map((name) => name.toUpperCase());
  const ids = check?.map((id) => id.toUpperCase());
  const wrongGroup = groups?.find((name) => !(CHECK_GROUPS as readonly string[]).includes(name));
  if (wrongGroup !== undefined) {
    throw refuse(`there is no group ${wrongGroup}`, `the groups are ${CHECK_GROUPS.join(', ')}`);
  }
  const wrongId = ids?.find((id) => !catalogue.some((each) => each.id === id));
  if (wrongId !== undefined) {
    throw refuse(`there is no check ${wrongId}`, `the checks are ${catalogue.map(({ id }) => id).join(', ')}`);
  }
  if (groups === undefined && ids === undefined) return catalogue;
  return catalogue.filter((each) => groups?.includes(each.group) === true || ids?.includes(each.id) === true);
}

function readBaseline(path: string): ValidationReport {
  const { report } = readModuleFile(path);
  if (report !== null) return report;
  throw new ValidationError('ERR_VALIDATION_REPORT', `${path} is a profile alone, which holds no findings`, {
    remedy: 'give the findings.json of an earlier run of keyferry validate',
  });
}

function pinOf(options: ValidateOptions, module: string): PinSource {
  if (options.pinFile !== undefined) return { kind: 'file', path: options.pinFile };
  if (options.pinEnvironment !== undefined) return { kind: 'environment', name: options.pinEnvironment };
  return { kind: 'prompt', label: `PIN of the token in ${module}` };
}

/** A run that cannot be done for its dialect ends like every other that cannot be done. */
function dialectIn(file: string): ModuleDialect {
  try {
    return readDialect(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw refuse(error.message, 'write what lab.yaml has under dialect: see docs/MODULES.md');
  }
}

/** @param scratch - directory for a token of the run's own; null for the user's token */
function referenceOf(options: ValidateOptions, scratch: string | null): TokenReference {
  const { module, token, slot, initToken, soPinFile, libraryParameters } = options;
  if (module === undefined) throw refuse('which module?', 'give --module: softhsm2, nss, or the path of a library');
  const settings = libraryParameters === undefined ? {} : { libraryParameters };
  const dialect = options.dialect === undefined ? {} : { dialect: dialectIn(options.dialect) };
  if (scratch !== null) {
    if ((module !== 'softhsm2' && module !== 'nss') || !knownModuleNames.includes(module)) {
      throw refuse('--scratch makes tokens of softhsm2 and nss only', 'give --token or --slot, and --pin-file');
    }
    const label = 'keyferry-validation';
    const soPin: PinSource = module === 'nss' ? { kind: 'empty' } : { kind: 'file', path: join(scratch, 'so.pin') };
    return {
      module,
      settings,
      ...dialect,
      selector: { label },
      userPin: { kind: 'file', path: join(scratch, 'user.pin') },
      soPin,
      scratch: { kind: module, directory: scratch },
      initialiseAs: label,
    };
  }
  if (token === undefined && slot === undefined && initToken === undefined) {
    throw refuse(
      `which token of ${module}?`,
      `give --token or --slot (see them with: keyferry token list --module ${module}), or --scratch with softhsm2 or nss`,
    );
  }
  if (initToken !== undefined && soPinFile === undefined) {
    throw refuse('--init-token needs the PIN that the security officer is to have', 'give --so-pin-file');
  }
  const label = token ?? initToken;
  // A slot may change when its token is initialised; the label stays.
  const selector = {
    ...(label === undefined ? {} : { label }),
    ...(slot === undefined || initToken !== undefined ? {} : { slotId: slot }),
  };
  const soPin: PinSource | null = soPinFile === undefined ? null : { kind: 'file', path: soPinFile };
  return {
    module,
    settings,
    ...dialect,
    selector,
    userPin: pinOf(options, module),
    soPin,
    scratch: null,
    initialiseAs: initToken ?? null,
  };
}

function failWhereAsked(
  report: ValidationReport,
  { failOn, baseline }: { readonly failOn: Severity | undefined; readonly baseline: ValidationReport | undefined },
): void {
  if (!report.isComplete) {
    throw new ValidationError('ERR_VALIDATION_INTERRUPTED', 'interrupted: the report is of what ran');
  }
  const findings = report.checks.filter(({ status }) => status === 'finding');
  const name = ({ id }: CheckResult): string => id;
  const grave = failOn === undefined ? [] : findings.filter(({ severity }) => isAtLeast(severity, failOn));
  if (grave.length > 0) {
    const ids = grave.map(name).join(', ');
    throw new ValidationError('ERR_VALIDATION_FINDINGS', `findings as grave as ${failOn ?? ''}: ${ids}`);
  }
  const fresh = baseline === undefined ? [] : newSince(baseline, report);
  if (fresh.length > 0) {
    throw new ValidationError('ERR_VALIDATION_FINDINGS', `not in the baseline: ${fresh.join('; ')}`);
  }
}
