import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { callAws } from '../api.js';
import { ActionDialog } from '../components/action_dialog.js';
import { Button } from '../components/button.js';
import { CliCommand } from '../components/cli_command.js';
import { CopyButton } from '../components/copy_button.js';
import { Panel } from '../components/facts.js';
import { TextArea } from '../components/form.js';
import { Loaded } from '../components/states.js';
import type { KeyView } from '../key_tabs.js';
import { useLive } from '../live.js';

/** The policy of a key. */
export function KeyPolicyTab({ region, key }: KeyView): JSX.Element {
  const [edited, setEdited] = useState<string | undefined>(undefined);
  const input = { KeyId: key.KeyId, PolicyName: 'default' };
  const live = useLive(
    async (signal) =>
      (await callAws<{ readonly Policy: string }>({ region, operation: 'GetKeyPolicy', input }, signal)).Policy,
    { inputs: [region, key.KeyId], region },
  );
  return (
    <Loaded live={live} what="the key policy">
      {(policy) => (
        <>
          <Panel
            title="Key policy"
            actions={
              <>
                <CopyButton text={policy} what="key policy" />
                <Button onClick={() => setEdited(indented(policy))}>Edit</Button>
              </>
            }
          >
            <pre class="document" tabIndex={0} aria-label="Key policy">
              <code>{indented(policy)}</code>
            </pre>
            <CliCommand calls={[{ region, operation: 'GetKeyPolicy', input }]} />
          </Panel>
          {edited !== undefined && (
            <ActionDialog
              title="Edit key policy"
              confirm="Save changes"
              isWide
              calls={
                edited.trim() === '' ? [] : [{ region, operation: 'PutKeyPolicy', input: { ...input, Policy: edited } }]
              }
              done="Changed the key policy"
              onDone={() => live.reload()}
              onClose={() => setEdited(undefined)}
            >
              <TextArea
                label="Key policy"
                hint="It must still allow you to change it."
                isRequired
                isCode
                rows={18}
                value={edited}
                onInput={setEdited}
                error={jsonProblem(edited)}
              />
            </ActionDialog>
          )}
        </>
      )}
    </Loaded>
  );
}

/** As it was written where it is not JSON any more. */
function indented(policy: string): string {
  try {
    return JSON.stringify(JSON.parse(policy), undefined, 2);
  } catch {
    return policy;
  }
}

/** Where a text is no JSON; the service says whether it is a policy. */
function jsonProblem(text: string): string {
  try {
    JSON.parse(text);
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
