import type { JSX } from 'preact';
import { Facts, Panel } from '../components/facts.js';
import type { KeyView } from '../key_tabs.js';
import { keyTypeText, originText, usageText } from '../kms.js';

/** What a key is made of and good for, with its origin. */
export function CryptographicConfigurationTab({ key }: KeyView): JSX.Element {
  const algorithms = (names: readonly string[] | undefined): string | undefined => names?.join(', ');
  return (
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
  );
}
