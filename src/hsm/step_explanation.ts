import { mechanismName } from '../token/names.js';
import type { TokenProfile } from '../token/profile.js';
import { strategies } from '../token/strategy.js';
import { chooseStrategies } from '../token/strategy_choice.js';
import type { ReplicationSuite } from '../wire/suite.js';

/** A step of a replication that a token does by a mechanism. */
export type ExplainedStep = 'sign' | 'generateAgreementKey' | 'agree' | 'wrap' | 'unwrap' | 'confirm';

/** What carries a step in one token. */
export interface StepExplanation {
  /** Id of the strategy that the profile chose. */
  readonly strategy: string;
  /** The mechanisms by name, in the order in which they run. */
  readonly mechanism: string;
}

/**
 * Says which strategy and mechanisms carry a step of a replication in a token, from its profile.
 *
 * @param suite - the session's, for `agree`
 * @returns undefined where the token cannot do the step
 */
export function explainStep(
  profile: TokenProfile,
  step: ExplainedStep,
  suite?: ReplicationSuite,
): StepExplanation | undefined {
  const { chosen } = chooseStrategies(profile);
  const keyWrapPad = mechanismName(profile.rules.aesKeyWrapPadMechanism ?? 0);
  switch (step) {
    case 'generateAgreementKey':
      return { strategy: 'ec-key-pair-p384', mechanism: 'CKM_EC_KEY_PAIR_GEN' };
    case 'agree': {
      const strategy = strategies.find((each) => each.job === 'deriveRwk' && each.suite === suite);
      return strategy === undefined ? undefined : { strategy: strategy.id, mechanism: strategy.mechanisms.join(' + ') };
    }
    case 'wrap':
      return chosen.wrap === undefined ? undefined : { strategy: chosen.wrap.id, mechanism: keyWrapPad };
    case 'unwrap':
      return chosen.unwrap === undefined ? undefined : { strategy: chosen.unwrap.id, mechanism: keyWrapPad };
    case 'sign':
      return chosen.sign === undefined
        ? undefined
        : { strategy: chosen.sign.id, mechanism: chosen.sign.mechanisms.join(' + ') };
    case 'confirm':
      return chosen.mac === undefined
        ? undefined
        : { strategy: chosen.mac.id, mechanism: chosen.mac.mechanisms.join(' + ') };
  }
}
