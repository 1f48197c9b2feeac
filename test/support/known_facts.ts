import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checks } from '../../src/validation/catalogue.js';
import type { CheckGroup } from '../../src/validation/check.js';
import type { ValidationReport } from '../../src/validation/result.js';
import { runValidation } from '../../src/validation/runner.js';
import { tokenKinds, type SoftwareTokenKind } from './token_directory.js';

const CATALOGUE = new URL('../../src/validation/catalogue.js', import.meta.url).href;

/**
 * Something that is known of a token from measurements made without the suite: the check, part of what was tried, part of what was
 * seen, and the mechanism or the function where it matters.
 */
export type Known = readonly [check: string, what: string, seen: string, place?: string];

/** What is known of a token, and what a group of checks is to find of it. */
export interface KnownFacts {
  /** What is not as the standard, or Keyferry, would have it: each check with a finding is among them, and no other. */
  readonly findings: readonly Known[];
  /** What is as it may be. */
  readonly answers: readonly Known[];
  /** Checks that do not apply, with a part of the reason. */
  readonly notApplicable?: Readonly<Record<string, string>>;
}

function runGroups(
  kind: SoftwareTokenKind,
  groups: readonly CheckGroup[],
  directory: string,
): Promise<ValidationReport> {
  const label = 'keyferry-validation';
  return runValidation({
    reference: {
      module: kind,
      settings: {},
      selector: { label },
      userPin: { kind: 'file', path: join(directory, 'user.pin') },
      soPin: kind === 'nss' ? { kind: 'empty' } : { kind: 'file', path: join(directory, 'so.pin') },
      scratch: { kind, directory },
      initialiseAs: label,
    },
    checks: checks.filter(({ group }) => groups.includes(group)),
    catalogue: CATALOGUE,
    seed: 'facts',
    isQuick: true,
  });
}

/**
 * Describes that one run of some groups finds what is known of each token.
 *
 * @param more - further tests of the run, which is there when they run
 */
export function describeKnownFacts(
  groups: readonly CheckGroup[],
  facts: Readonly<Record<SoftwareTokenKind, KnownFacts>>,
  more: (report: () => ValidationReport, kind: SoftwareTokenKind) => void = () => undefined,
): void {
  for (const kind of tokenKinds()) {
    describe(`of ${kind}`, function () {
      this.timeout(120_000);
      const { findings, answers, notApplicable = {} } = facts[kind];
      let directory: string;
      let report: ValidationReport;

      before(async () => {
        directory = mkdtempSync(join(tmpdir(), `keyferry-facts-${kind}-`));
        report = await runGroups(kind, groups, directory);
      });
      after(() => rmSync(directory, { recursive: true, force: true }));

      function seen([id, what, , place]: Known, isAsExpected: boolean): string {
        return report.checks
          .filter((check) => check.id === id)
          .flatMap(({ observations }) => observations)
          .filter((each) => each.isAsExpected === isAsExpected && each.what.includes(what))
          .filter((each) => place === undefined || each.mechanism === place || each.call === place)
          .map((each) => each.seen)
          .join('\n');
      }

      for (const known of findings) {
        it(`finds ${known.join(': ')}`, () => expect(seen(known, false)).to.contain(known[2]));
      }
      for (const known of answers) {
        it(`sees ${known.join(': ')}`, () => expect(seen(known, true)).to.contain(known[2]));
      }

      it('finds nothing in other checks', () => {
        const found = report.checks.filter(({ status }) => status === 'finding').map(({ id }) => id);
        expect(found.toSorted()).to.deep.equal([...new Set(findings.map(([id]) => id))].toSorted());
      });

      it('runs every check that applies, and says why another does not', () => {
        const skipped = report.checks.filter(({ status }) => status === 'not-applicable' || status === 'not-run');
        expect(skipped.map(({ id }) => id)).to.deep.equal(Object.keys(notApplicable));
        for (const { id, reason } of skipped) expect(reason).to.contain(notApplicable[id]);
      });

      it('leaves no object behind, and no process that ended otherwise', () => {
        const leftovers = report.checks.filter(({ observations }) =>
          observations.some(({ what }) => what.includes('gone at its end')),
        );
        expect(leftovers.map(({ id }) => id)).to.deep.equal([]);
        expect(report.incidents).to.deep.equal([]);
      });

      more(() => report, kind);
    });
  }
}
