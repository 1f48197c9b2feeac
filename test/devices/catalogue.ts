import type { Device } from './device.js';
import { nssFipsSlot } from './nss_fips.js';
import { openCryptoki } from './opencryptoki.js';
import { nssUserSlot, softHsm2 } from './software_token.js';
import { tpm2 } from './tpm2.js';

/** The devices that the validation suite is proven on, in the order of docs/DEVICES.md. */
export const devices: readonly Device[] = [softHsm2, nssUserSlot, nssFipsSlot, tpm2, openCryptoki];
