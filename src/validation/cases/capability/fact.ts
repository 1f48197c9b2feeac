import { factWords } from '../../../token/fact_words.js';
import { mechanismName } from '../../../token/names.js';
import type { FactName } from '../../../token/profile.js';
import type { CheckContext } from '../../check_context.js';

/** Says what the probe found of some facts, each by a known answer; nothing definite is expected. */
export function recordFacts(context: CheckContext, facts: readonly FactName[]): void {
  for (const name of facts) {
    const fact = context.profile?.facts[name];
    if (fact === undefined) continue;
    const more = fact.mechanism === null ? {} : { mechanism: mechanismName(fact.mechanism) };
    context.record(factWords[name], fact.answer, more);
  }
}

/** Expects that at least one of some facts works, and says what became of each. */
export function expectOneOf(context: CheckContext, what: string, facts: readonly FactName[]): void {
  recordFacts(context, facts);
  const working = facts.filter((fact) => context.works(fact));
  context.expect(working.length > 0, {
    what,
    expected: `at least one of: ${facts.map((fact) => factWords[fact]).join('; ')}`,
    seen: working.length === 0 ? 'none' : working.map((fact) => factWords[fact]).join('; '),
  });
}

/** Expects that each of some facts works. */
export function expectFacts(context: CheckContext, facts: readonly FactName[]): void {
  for (const name of facts) {
    const fact = context.profile?.facts[name];
    if (fact === undefined) continue;
    context.expect(fact.works, {
      what: factWords[name],
      mechanism: fact.mechanism === null ? undefined : mechanismName(fact.mechanism),
      expected: 'the known answer',
      seen: fact.answer,
    });
  }
}

/** Ends a check that goes by the probe where there is none. */
export function needProfile(context: CheckContext): void {
  if (context.profile === null)
    context.skip('the probe did not complete, so that it is not known what the token can do');
}
