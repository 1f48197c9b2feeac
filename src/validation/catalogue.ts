import { moduleCapability } from './cases/capability/module.js';
import { objectCapability } from './cases/capability/object.js';
import { wrappingCapability } from './cases/capability/wrapping.js';
import { keyAgreementCapability } from './cases/capability/key_agreement.js';
import { derivationCapability } from './cases/capability/derivation.js';
import { agreementCorrectness } from './cases/correctness/key_agreement.js';
import { derivationCorrectness } from './cases/correctness/derivation.js';
import { keyWrapCorrectness } from './cases/correctness/key_wrap.js';
import { attributeCorrectness } from './cases/correctness/attribute.js';
import { cipherCorrectness } from './cases/correctness/cipher.js';
import { rsaCorrectness } from './cases/correctness/rsa.js';
import { signatureCorrectness } from './cases/correctness/signature.js';
import { derivationPolicy } from './cases/policy/derivation.js';
import { wrappingPolicy } from './cases/policy/wrapping.js';
import { readingPolicy } from './cases/policy/reading.js';
import { callRobustness } from './cases/robustness/calls.js';
import { keyPerformance } from './cases/performance/key.js';
import type { Check } from './check.js';

/** Every check of the suite, in the order in which they run. */
export const checks: readonly Check[] = [
  ...moduleCapability,
  ...keyAgreementCapability,
  ...derivationCapability,
  ...wrappingCapability,
  ...objectCapability,
  ...agreementCorrectness,
  ...derivationCorrectness,
  ...keyWrapCorrectness,
  ...signatureCorrectness,
  ...cipherCorrectness,
  ...rsaCorrectness,
  ...attributeCorrectness,
  ...readingPolicy,
  ...wrappingPolicy,
  ...derivationPolicy,
  ...callRobustness,
  ...keyPerformance,
];
