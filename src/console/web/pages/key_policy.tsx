import type { JSX } from 'preact';
import { callAws } from '../api.js';
import { CliCommand } from '../components/cli_command.js';
import { CopyButton } from '../components/copy_button.js';
import { Panel } from '../components/facts.js';
import { Loaded } from '../components/states.js';
import type { KeyView } from '../key_tabs.js';
import { useLive } from '../live.js';

/** The policy of a key. */
export function KeyPolicyTab({ region, key }: KeyView): JSX.Element {
  const input = { KeyId: key.KeyId, PolicyName: 'default' };
  const live = useLive(
    async (signal) =>
      (await callAws<{ readonly Policy: string }>({ region, operation: 'GetKeyPolicy', input }, signal)).Policy,
    { inputs: [region, key.KeyId], region },
  );
  return (
    <Loaded live={live} what="the key policy">
      {(policy) => (
        <Panel title="Key policy" actions={<CopyButton text={policy} what="key policy" />}>
          <pre class="document" tabIndex={0} aria-label="Key policy">
            <code>{indented(policy)}</code>
          </pre>
          <CliCommand calls={[{ region, operation: 'GetKeyPolicy', input }]} />
        </Panel>
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
