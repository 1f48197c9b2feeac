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
  const keyWrapPad = numbered(profile.rules.aesKeyWrapPadMechanism ?? 0);
  switch (step) {
    case 'generateAgreementKey':
      return { strategy: 'ec-key-pair-p384', mechanism: 'CKM_EC_KEY_PAIR_GEN' };
    case 'agree': {
      const strategy = strategies.find((each) => each.job === 'deriveRwk' && each.suite === suite);
      return strategy === undefined ? undefined : { strategy: strategy.id, mechanism: inOrder(strategy.mechanisms) };
    }
    case 'wrap':
      return chosen.wrap === undefined ? undefined : { strategy: chosen.wrap.id, mechanism: keyWrapPad };
    case 'unwrap':
      return chosen.unwrap === undefined ? undefined : { strategy: chosen.unwrap.id, mechanism: keyWrapPad };
    case 'sign':
      return chosen.sign === undefined
        ? undefined
        : { strategy: chosen.sign.id, mechanism: inOrder(chosen.sign.mechanisms) };
    case 'confirm':
      return chosen.mac === undefined
        ? undefined
        : { strategy: chosen.mac.id, mechanism: inOrder(chosen.mac.mechanisms) };
  }
}

/** `CKM_ECDH1_DERIVE (CKD_NULL), then CKM_HKDF_DERIVE`: mechanisms as they run, each with the KDF that is its parameter. */
function inOrder(mechanisms: readonly string[]): string {
  return mechanisms.reduce((text, name) => {
    if (text === '') return name;
    return name.startsWith('CKD_') ? `${text} (${name})` : `${text}, then ${name}`;
  }, '');
}

/** A mechanism whose number differs between tokens, with the number: `CKM_AES_KEY_WRAP_PAD (0x210A)`. */
function numbered(type: number): string {
  const name = mechanismName(type);
  return name.startsWith('CKM_0x') ? name : `${name} (0x${type.toString(16).toUpperCase()})`;
}
