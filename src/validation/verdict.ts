import { importCapabilitiesOf } from '../hsm/import_strategy.js';
import { enforcementWords, factWords } from '../token/fact_words.js';
import { explainMissingJob } from '../token/missing_piece.js';
import { reasonNotTried } from '../token/not_tried.js';
import { keySpecFactNames, type TokenProfile } from '../token/profile.js';
import type { StrategyJob } from '../token/strategy.js';
import { chooseStrategies, missingSuites } from '../token/strategy_choice.js';
import { FLOWS, SEVERITIES, type Flow } from './check.js';
import { meaningOf } from './consequence.js';
import type { CheckResult, FlowVerdict } from './result.js';

/** The jobs that a flow cannot be without. */
const jobsOf: Readonly<Record<Exclude<Flow, 'import'>, readonly StrategyJob[]>> = {
  replication: ['deriveRwk', 'wrap', 'unwrap', 'mac', 'random'],
  signing: ['sign', 'random'],
  operations: ['wrap', 'unwrap', 'messageKey', 'random'],
};

const importJobs = {
  RSAES_OAEP_SHA_1: 'importOaepSha1',
  RSAES_OAEP_SHA_256: 'importOaepSha256',
  RSA_AES_KEY_WRAP_SHA_1: 'importRsaAesSha1',
  RSA_AES_KEY_WRAP_SHA_256: 'importRsaAesSha256',
} as const satisfies Readonly<Record<string, StrategyJob>>;

type Ability = Pick<FlowVerdict, 'strategies' | 'missing'> & { readonly isAble: boolean };

function abilityByJobs(profile: TokenProfile, flow: Exclude<Flow, 'import'>): Ability {
  const choice = chooseStrategies(profile);
  const wanted = jobsOf[flow];
  const strategies = choice.outcomes
    .filter(({ strategy, state }) => wanted.includes(strategy.job) && state !== 'missing')
    .map(({ strategy: { id, job, suite, dataSuite, description } }) => ({
      id,
      job,
      suite: suite ?? dataSuite ?? '',
      description,
    }));
  const lacking = wanted.filter((job) => choice.chosen[job] === undefined);
  const missing = lacking.map((job) => explainMissingJob(profile, job));
  const wider =
    flow === 'replication'
      ? missingSuites(profile)
          .filter(() => choice.suites.length > 0)
          .map(({ suite, mechanisms }) => `suite ${suite}: ${mechanisms.join(', ')}`)
      : flow === 'operations'
        ? keySpecFactNames
            .filter((fact) => !profile.facts[fact].works)
            // Without a way to wrap none was tried; what is missing for that is said above.
            .filter((fact) => lacking.length === 0 || reasonNotTried(profile.facts[fact].answer) === undefined)
            .map((fact) => `key specs that need ${factWords[fact]}: ${profile.facts[fact].answer}`)
        : [];
  return { isAble: lacking.length === 0, strategies, missing: [...missing, ...wider] };
}

/** Import: each of the four algorithms, in the token if it can, and otherwise in locked memory where a region's configuration allows that. */
function abilityToImport(profile: TokenProfile): Ability {
  const inToken = importCapabilitiesOf(profile, { outsideToken: 'refuse' });
  const anywhere = importCapabilitiesOf(profile, { outsideToken: 'allow' });
  const algorithms = Object.keys(inToken) as (keyof typeof inToken)[];
  const strategies: FlowVerdict['strategies'] = [];
  const missing: string[] = [];
  for (const algorithm of algorithms) {
    const plan = inToken[algorithm];
    const other = anywhere[algorithm];
    if ('rung' in plan) {
      strategies.push({ id: plan.strategy, job: algorithm, suite: '', description: `${plan.rung}, in the token` });
    } else if ('rung' in other) {
      const description = 'only with the padding taken off outside the token, in locked memory';
      strategies.push({ id: other.strategy, job: algorithm, suite: '', description });
      missing.push(`${algorithm} in the token: ${plan.refusal}`);
    } else {
      missing.push(explainMissingJob(profile, importJobs[algorithm], algorithm));
    }
  }
  return { isAble: algorithms.some((algorithm) => 'rung' in inToken[algorithm]), strategies, missing };
}

/** What a token does not enforce, in words: a region has to keep to it by itself. */
export function unenforced(profile: TokenProfile): readonly string[] {
  return Object.entries(profile.enforcement)
    .filter(([, { enforced }]) => enforced === false)
    .map(([name, { answer }]) => `${enforcementWords[name as keyof typeof enforcementWords]}: ${answer}`);
}

/**
 * Answers for each flow whether a token can carry it: by which strategies, or exactly what is missing.
 *
 * The strategies are those that a region would choose from the same profile. Each finding of a check that the flow depends on comes
 * with what it means for the flow. A finding of severity `blocks` in a check that the flow
 * depends on makes it a no, whatever the profile says.
 *
 * @param profile - null where the probe did not complete
 */
export function verdictsOf(profile: TokenProfile | null, checks: readonly CheckResult[]): readonly FlowVerdict[] {
  return FLOWS.map((flow): FlowVerdict => {
    const findings = checks.filter(({ status, flows }) => status === 'finding' && flows.includes(flow));
    const blockedBy = findings.filter(({ severity }) => severity === 'blocks').map(({ id }) => id);
    const reservations = findings.filter(({ severity }) => severity === 'security').map(({ id }) => id);
    const consequences = SEVERITIES.flatMap((severity) =>
      findings
        .filter((check) => check.severity === severity)
        .map((check) => ({ check: check.id, severity, meaning: meaningOf(check, flow) })),
    );
    if (profile === null) {
      const missing = ['the probe did not complete: see the incidents'];
      return {
        flow,
        answer: blockedBy.length > 0 ? 'no' : 'unknown',
        strategies: [],
        missing,
        blockedBy,
        reservations,
        consequences,
      };
    }
    const { isAble, strategies, missing } = flow === 'import' ? abilityToImport(profile) : abilityByJobs(profile, flow);
    const answer = isAble && blockedBy.length === 0 ? 'yes' : 'no';
    return { flow, answer, strategies, missing, blockedBy, reservations, consequences } satisfies FlowVerdict;
  });
}
