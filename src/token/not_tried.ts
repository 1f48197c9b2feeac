import { factNames, type FactName } from './profile.js';

const PATTERN = /^not tried, since (\w+) does not work$/u;

/** The answer of a fact that was not tried, because something else that it needs does not work. */
export function notTried(needed: FactName): string {
  return `not tried, since ${needed} does not work`;
}

/** What an answer says that it was not tried for; undefined for an answer of the token. */
export function reasonNotTried(answer: string): FactName | undefined {
  const needed = PATTERN.exec(answer)?.[1];
  return factNames.find((name) => name === needed);
}
