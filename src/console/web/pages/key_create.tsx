import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { callAws } from '../api.js';
import { useAttempt } from '../attempt.js';
import { Button } from '../components/button.js';
import { CliCommand } from '../components/cli_command.js';
import { PageHead } from '../components/facts.js';
import { Failure } from '../components/states.js';
import { tell, tellFailure } from '../components/toasts.js';
import {
  aliasProblem,
  configurationProblem,
  createAliasCall,
  createKeyCall,
  EMPTY_DRAFT,
  tagsProblem,
  type KeyDraft,
} from '../key_draft.js';
import type { KeyMetadata } from '../kms.js';
import type { PageProps } from '../pages.js';
import { go, Link, pathOf } from '../router.js';
import { ConfigureStep, LabelsStep, PolicyStep, ReviewStep, type StepProps } from './key_create_steps.js';

interface Step {
  readonly title: string;
  readonly content: (props: StepProps) => JSX.Element;
  /** What keeps one from going on; empty where nothing does. */
  readonly problem: (draft: KeyDraft) => string;
}

const STEPS: readonly Step[] = [
  { title: 'Configure key', content: ConfigureStep, problem: configurationProblem },
  {
    title: 'Add labels',
    content: LabelsStep,
    problem: ({ alias, tags }) => aliasProblem(alias) || tagsProblem(tags),
  },
  { title: 'Define key policy', content: PolicyStep, problem: () => '' },
  { title: 'Review', content: ReviewStep, problem: () => '' },
];

/** Makes a key, step by step, and ends on its page. */
export function CreateKeyPage({ params }: PageProps): JSX.Element {
  const region = params['region'] ?? '';
  const [draft, setDraft] = useState(EMPTY_DRAFT);
  const [at, setAt] = useState(0);
  const [isChecked, setChecked] = useState(false);
  const { isBusy, failure, attempt } = useAttempt();
  const heading = useRef<HTMLHeadingElement>(null);
  const isFirst = useRef(true);
  // Whoever hears the page is told which step it is now.
  useEffect(() => {
    if (!isFirst.current) heading.current?.focus();
    isFirst.current = false;
  }, [at]);
  const step = STEPS[at];
  if (step === undefined) throw new RangeError(`There is no step ${at}`);
  const problem = step.problem(draft);
  const isLast = at === STEPS.length - 1;
  const Content = step.content;

  const show = (next: number): void => {
    setChecked(false);
    setAt(next);
    scrollTo(0, 0);
  };
  const create = (): void => {
    attempt(async () => {
      const made = await callAws<{ readonly KeyMetadata: KeyMetadata }>(createKeyCall(region, draft));
      const keyId = made.KeyMetadata.KeyId;
      const alias = createAliasCall(region, draft, keyId);
      tell({ kind: 'done', title: `Created the key ${keyId}` });
      // The key exists: whatever happens to its alias is told on its own page.
      if (alias !== undefined) {
        await callAws(alias).catch((error: unknown) => tellFailure('The key has no alias', error));
      }
      go(pathOf(region, 'keys', keyId, ...(draft.origin === 'EXTERNAL' ? ['material'] : [])), { replace: true });
    });
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    setChecked(true);
    if (problem !== '' || isBusy) return;
    if (isLast) create();
    else show(at + 1);
  };
  const calls = [createKeyCall(region, draft), createAliasCall(region, draft, 'KEY_ID') ?? []].flat();
  return (
    <>
      <PageHead title="Create key" trail={<Link to={pathOf(region, 'keys')}>Customer managed keys</Link>} />
      <ol class="steps" aria-label="Steps">
        {STEPS.map(({ title }, index) => (
          <li key={title} aria-current={index === at ? 'step' : undefined}>
            {title}
          </li>
        ))}
      </ol>
      <form class="wizard" onSubmit={submit} noValidate>
        <h2 class="unseen" ref={heading} tabIndex={-1}>
          {`Step ${at + 1} of ${STEPS.length}: ${step.title}`}
        </h2>
        <Content region={region} draft={draft} onDraft={setDraft} isChecked={isChecked} />
        {failure !== undefined && <Failure what="The key was not created" failure={failure} />}
        {isLast && <CliCommand calls={calls} />}
        {isChecked && problem !== '' && (
          <p class="error" role="alert">
            {problem}
          </p>
        )}
        <footer class="wizard-foot">
          <Button kind="plain" onClick={() => go(pathOf(region, 'keys'))}>
            Cancel
          </Button>
          {at > 0 && <Button onClick={() => show(at - 1)}>Previous</Button>}
          <Button type="submit" kind="primary" isBusy={isBusy}>
            {isLast ? 'Create key' : 'Next'}
          </Button>
        </footer>
      </form>
    </>
  );
}
