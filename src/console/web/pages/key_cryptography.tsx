import type { JSX } from 'preact';
import { callAws } from '../api.js';
import { Button } from '../components/button.js';
import { CliCommand } from '../components/cli_command.js';
import { CopyButton } from '../components/copy_button.js';
import { Facts, Panel } from '../components/facts.js';
import { Loaded } from '../components/states.js';
import type { KeyView } from '../key_tabs.js';
import { keyTypeText, originText, usageText } from '../kms.js';
import { useLive } from '../live.js';
import { pemOf, saveFile } from '../octets.js';

/** What a key is made of and good for, with its origin; of a pair, its public half. */
export function CryptographicConfigurationTab(view: KeyView): JSX.Element {
  const { key } = view;
  const algorithms = (names: readonly string[] | undefined): string | undefined => names?.join(', ');
  return (
    <>
      <Panel title="Cryptographic configuration">
        <Facts
          facts={[
            ['Key type', keyTypeText(key.KeySpec)],
            ['Origin', originText(key.Origin)],
            ['Key spec', key.KeySpec],
            ['Key usage', usageText(key.KeyUsage)],
            ['Encryption algorithms', algorithms(key.EncryptionAlgorithms)],
            ['Signing algorithms', algorithms(key.SigningAlgorithms)],
            ['MAC algorithms', algorithms(key.MacAlgorithms)],
            ['Key agreement algorithms', algorithms(key.KeyAgreementAlgorithms)],
          ]}
        />
      </Panel>
      {keyTypeText(key.KeySpec) === 'Asymmetric' && <PublicKey {...view} />}
    </>
  );
}

function PublicKey({ region, key }: KeyView): JSX.Element {
  const call = { region, operation: 'GetPublicKey', input: { KeyId: key.KeyId } };
  const live = useLive(
    async (signal) => pemOf('PUBLIC KEY', (await callAws<{ readonly PublicKey: string }>(call, signal)).PublicKey),
    { inputs: [region, key.KeyId, key.KeyState], region: null },
  );
  return (
    <Loaded live={live} what="the public key">
      {(pem) => (
        <Panel
          title="Public key"
          actions={
            <>
              <CopyButton text={pem} what="public key" />
              <Button onClick={() => saveFile(`PublicKey_${key.KeyId}.pem`, pem, 'application/x-pem-file')}>
                Download
              </Button>
            </>
          }
        >
          <pre class="document" tabIndex={0} aria-label="Public key">
            <code>{pem}</code>
          </pre>
          <CliCommand calls={[call]} />
        </Panel>
      )}
    </Loaded>
  );
}
