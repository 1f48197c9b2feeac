import {
  enforcementNames,
  factNames,
  PROFILE_VERSION,
  type EnforcementName,
  type FactName,
  type TokenProfile,
} from '../../src/token/profile.js';

/** A profile of a token that can do everything and enforces everything, but for what is named. */
export function profileBut(without: {
  readonly facts?: readonly FactName[];
  readonly enforcement?: readonly EnforcementName[];
  readonly answer?: string;
}): TokenProfile {
  const answer = without.answer ?? 'C_DeriveKey returned CKR_MECHANISM_INVALID';
  const facts = factNames.map((name) => {
    const works = without.facts?.includes(name) !== true;
    return [name, { works, mechanism: null, answer: works ? 'the known answer' : answer }] as const;
  });
  const enforcement = enforcementNames.map((name) => {
    const enforced = without.enforcement?.includes(name) !== true;
    return [
      name,
      { enforced, answer: enforced ? 'C_WrapKey returned CKR_KEY_UNEXTRACTABLE' : 'C_WrapKey returned CKR_OK' },
    ] as const;
  });
  return {
    version: PROFILE_VERSION,
    identity: {
      modulePath: '/lib/module.so',
      manufacturer: 'Maker',
      model: 'Model',
      serial: '0001',
      label: 'label',
      libraryDescription: 'Library',
      libraryVersion: '1.0',
      cryptokiVersion: '2.40',
      hardwareVersion: '1.0',
      firmwareVersion: '1.0',
    },
    mechanisms: [],
    facts: Object.fromEntries(facts) as TokenProfile['facts'],
    enforcement: Object.fromEntries(enforcement) as TokenProfile['enforcement'],
    rules: {
      aesKeyWrapPadMechanism: 0x210b,
      wrapPadsOddLengths: false,
      ecdh1Truncation: 'trailing',
      ecPointEncoding: 'der',
      ecPrivateUnwrapAttributes: [],
      ed25519Parameters: 'oid',
      unwrapValueLength: 'optional',
      valueLengthAfterUnwrap: true,
      gcmIv: 'caller',
      sessionCountMax: 0,
    },
    probedAtMs: 0,
    probeMs: 0,
  };
}
