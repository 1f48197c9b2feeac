import type { ComponentChildren } from 'preact';
import type { Alias, KeyMaterial, KeyMetadata } from './kms.js';
import { AliasesTab } from './pages/key_aliases.js';
import { CryptographicConfigurationTab } from './pages/key_cryptography.js';
import { KeyMaterialTab } from './pages/key_material.js';
import { KeyPolicyTab } from './pages/key_policy.js';
import { RegionalityTab } from './pages/key_regionality.js';
import { KeyRotationTab } from './pages/key_rotation.js';
import { TagsTab } from './pages/key_tags.js';

/** A key as its page and tabs have it. */
export interface KeyView {
  readonly region: string;
  readonly key: KeyMetadata;
  readonly aliases: readonly Alias[];
  /** Imported material of a symmetric encryption key, the oldest first; of all other keys none. */
  readonly materials: readonly KeyMaterial[];
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
  {
    id: 'material',
    title: ({ materials }) => (materials.length > 1 ? 'Key material and rotations' : 'Key material'),
    isShown: ({ key }) => key.Origin === 'EXTERNAL',
    content: (view) => <KeyMaterialTab {...view} />,
  },
  { id: 'tags', title: 'Tags', content: (view) => <TagsTab {...view} /> },
  {
    id: 'rotation',
    title: 'Key rotation',
    isShown: ({ key }) => key.Origin === 'AWS_KMS' && key.KeySpec === 'SYMMETRIC_DEFAULT',
    content: (view) => <KeyRotationTab {...view} />,
  },
  { id: 'regionality', title: 'Regionality', content: (view) => <RegionalityTab {...view} /> },
  { id: 'aliases', title: 'Aliases', content: (view) => <AliasesTab {...view} /> },
];
