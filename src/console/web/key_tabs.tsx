import type { ComponentChildren } from 'preact';
import type { Alias, KeyMetadata } from './kms.js';
import { AliasesTab } from './pages/key_aliases.js';
import { CryptographicConfigurationTab } from './pages/key_cryptography.js';
import { KeyPolicyTab } from './pages/key_policy.js';

/** A key as its page and tabs have it. */
export interface KeyView {
  readonly region: string;
  readonly key: KeyMetadata;
  readonly aliases: readonly Alias[];
  /** Asks for the key again; done by itself when something changes in the region. */
  readonly reload: () => void;
}

/** A tab of the key's page. */
export interface KeyTab {
  /** Last part of its path. */
  readonly id: string;
  readonly title: string | ((view: KeyView) => string);
  /** Whether a key has it; each one where it is absent. */
  readonly isShown?: (view: KeyView) => boolean;
  readonly content: (view: KeyView) => ComponentChildren;
}

/** Tabs of the key's page, in their order. A new one is a file in pages/ and a line here. */
export const KEY_TABS: readonly KeyTab[] = [
  { id: 'policy', title: 'Key policy', content: (view) => <KeyPolicyTab {...view} /> },
  {
    id: 'cryptography',
    title: 'Cryptographic configuration',
    content: (view) => <CryptographicConfigurationTab {...view} />,
  },
  { id: 'aliases', title: 'Aliases', content: (view) => <AliasesTab {...view} /> },
];
