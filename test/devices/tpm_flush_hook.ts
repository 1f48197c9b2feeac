// Imported by Node before anything else, through NODE_OPTIONS: each process of a validation finds the TPM free, however the one before it
// has ended.
import { flushTpm } from './tpm_resources.js';

const tpm = process.env['KEYFERRY_TEST_TPM'];
if (tpm !== undefined) await flushTpm(tpm);
