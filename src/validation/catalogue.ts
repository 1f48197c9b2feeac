import { moduleCapability } from './cases/capability/module.js';
import { objectCapability } from './cases/capability/object.js';
import { publicKeyWrapCapability } from './cases/capability/public_key_wrap.js';
import { wrappingCapability } from './cases/capability/wrapping.js';
import { keyAgreementCapability } from './cases/capability/key_agreement.js';
import { derivationCapability } from './cases/capability/derivation.js';
import { agreementCorrectness } from './cases/correctness/key_agreement.js';
import { derivationCorrectness } from './cases/correctness/derivation.js';
import { keyWrapCorrectness } from './cases/correctness/key_wrap.js';
import { attributeCorrectness } from './cases/correctness/attribute.js';
import { cipherCorrectness } from './cases/correctness/cipher.js';
import { randomCorrectness } from './cases/correctness/random.js';
import { rsaCorrectness } from './cases/correctness/rsa.js';
import { signatureCorrectness } from './cases/correctness/signature.js';
import { verificationCorrectness } from './cases/correctness/verification.js';
import { agreementPolicy } from './cases/policy/agreement.js';
import { derivationPolicy } from './cases/policy/derivation.js';
import { importedKeyPolicy } from './cases/policy/imported_key.js';
import { loginPolicy } from './cases/policy/login.js';
import { readingPolicy } from './cases/policy/reading.js';
import { signingKeyPolicy } from './cases/policy/signing_key.js';
import { unwrapOraclePolicy } from './cases/policy/unwrap_oracle.js';
import { unwrapTemplatePolicy } from './cases/policy/unwrap_template.js';
import { usagePolicy } from './cases/policy/usage.js';
import { wrapAndDecryptPolicy } from './cases/policy/wrap_and_decrypt.js';
import { wrapProtectionPolicy } from './cases/policy/wrap_protection.js';
import { callRobustness } from './cases/robustness/calls.js';
import { crowdRobustness } from './cases/robustness/crowds.js';
import { illFormedRobustness } from './cases/robustness/ill_formed.js';
import { processRobustness } from './cases/robustness/processes.js';
import { protocolRobustness } from './cases/robustness/protocol.js';
import { recoveryRobustness } from './cases/robustness/recovery.js';
import { keyPerformance } from './cases/performance/key.js';
import { replicationPerformance } from './cases/performance/replication.js';
import { rsaPerformance } from './cases/performance/rsa.js';
import { sessionPerformance } from './cases/performance/session.js';
import type { Check } from './check.js';

/** Every check of the suite, in the order in which they run. */
export const checks: readonly Check[] = [
  ...moduleCapability,
  ...keyAgreementCapability,
  ...derivationCapability,
  ...wrappingCapability,
  ...publicKeyWrapCapability,
  ...objectCapability,
  ...agreementCorrectness,
  ...derivationCorrectness,
  ...keyWrapCorrectness,
  ...signatureCorrectness,
  ...verificationCorrectness,
  ...cipherCorrectness,
  ...randomCorrectness,
  ...rsaCorrectness,
  ...attributeCorrectness,
  ...wrapAndDecryptPolicy,
  ...readingPolicy,
  ...wrapProtectionPolicy,
  ...unwrapTemplatePolicy,
  ...agreementPolicy,
  ...unwrapOraclePolicy,
  ...derivationPolicy,
  ...usagePolicy,
  ...importedKeyPolicy,
  ...signingKeyPolicy,
  ...loginPolicy,
  ...callRobustness,
  ...illFormedRobustness,
  ...protocolRobustness,
  ...processRobustness,
  ...crowdRobustness,
  ...recoveryRobustness,
  ...keyPerformance,
  ...rsaPerformance,
  ...sessionPerformance,
  ...replicationPerformance,
];
