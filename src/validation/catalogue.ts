import { moduleCapability } from './cases/capability/module.js';
import { wrappingCapability } from './cases/capability/wrapping.js';
import { keyAgreementCapability } from './cases/capability/key_agreement.js';
import { agreementCorrectness } from './cases/correctness/key_agreement.js';
import { keyWrapCorrectness } from './cases/correctness/key_wrap.js';
import { wrappingPolicy } from './cases/policy/wrapping.js';
import { readingPolicy } from './cases/policy/reading.js';
import { callRobustness } from './cases/robustness/calls.js';
import { keyPerformance } from './cases/performance/key.js';
import type { Check } from './check.js';

/** Every check of the suite, in the order in which they run. */
export const checks: readonly Check[] = [
  ...moduleCapability,
  ...keyAgreementCapability,
  ...wrappingCapability,
  ...agreementCorrectness,
  ...keyWrapCorrectness,
  ...readingPolicy,
  ...wrappingPolicy,
  ...callRobustness,
  ...keyPerformance,
];
