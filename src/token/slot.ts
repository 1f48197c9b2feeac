import type { Slot as GrapheneSlot } from 'graphene-pk11';
import {
  CKF_LOGIN_REQUIRED,
  CKF_TOKEN_INITIALIZED,
  CKF_USER_PIN_INITIALIZED,
  CKF_USER_PIN_LOCKED,
} from './cryptoki.js';
import { callModule } from './module_call.js';
import { mechanismName } from './names.js';

/** A version as PKCS#11 tells it: `2.40`. */
export function versionText(version: { readonly major: number; readonly minor: number }): string {
  return `${version.major}.${version.minor}`;
}

/** What a token says about itself. */
export interface TokenInfo {
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly hardwareVersion: string;
  readonly firmwareVersion: string;
  readonly isInitialised: boolean;
  readonly isLoginRequired: boolean;
  readonly isUserPinSet: boolean;
  readonly isUserPinLocked: boolean;
  /** Most sessions that one process may open; 0 is no limit, null is not told. */
  readonly sessionCountMax: number | null;
  readonly sessionCountRwMax: number | null;
  /** All `CKF_` bits; those above are some of them. */
  readonly flags: number;
}

/** One mechanism of a token, as the token lists it. */
export interface ListedMechanism {
  readonly type: number;
  readonly name: string;
  /** Key sizes in the unit of the mechanism: bits for RSA and EC, octets for AES. */
  readonly keySizeMin: number;
  readonly keySizeMax: number;
  /** `CKF_` bits: what the token says that the mechanism is for. */
  readonly flags: number;
}

// pkcs11js reads CK_ULONG as 32 bits, so that CK_UNAVAILABLE_INFORMATION arrives as this.
const UNAVAILABLE_32 = 0xffffffff;

function countMax(value: number): number | null {
  return value === UNAVAILABLE_32 || value < 0 ? null : value;
}

function unpadded(text: string): string {
  return text.replace(/[\s\0]+$/u, '');
}

/** One slot of a module; asks the module at each call and keeps nothing. */
export class Slot {
  /** `CK_SLOT_ID`. */
  readonly slotId: number;
  readonly description: string;
  readonly #slot: GrapheneSlot;

  constructor(slot: GrapheneSlot) {
    this.#slot = slot;
    this.slotId = Number(slot.handle.readBigUInt64LE());
    this.description = unpadded(slot.slotDescription);
  }

  /** The slot's handle as pkcs11js wants it: 8 octets in the machine's order. */
  get handle(): Buffer {
    return this.#slot.handle;
  }

  /**
   * What the token in this slot says about itself.
   *
   * @throws {@link TokenError} `ERR_TOKEN_NOT_PRESENT` for an empty slot
   */
  token(): TokenInfo {
    const token = callModule('C_GetTokenInfo', () => this.#slot.getToken());
    const has = (flag: number): boolean => (token.flags & flag) !== 0;
    return {
      label: unpadded(token.label),
      manufacturer: unpadded(token.manufacturerID),
      model: unpadded(token.model),
      serial: unpadded(token.serialNumber),
      hardwareVersion: versionText(token.hardwareVersion),
      firmwareVersion: versionText(token.firmwareVersion),
      isInitialised: has(CKF_TOKEN_INITIALIZED),
      isLoginRequired: has(CKF_LOGIN_REQUIRED),
      isUserPinSet: has(CKF_USER_PIN_INITIALIZED),
      isUserPinLocked: has(CKF_USER_PIN_LOCKED),
      sessionCountMax: countMax(token.maxSessionCount),
      sessionCountRwMax: countMax(token.maxRwSessionCount),
      flags: token.flags,
    };
  }

  /** The mechanisms that the token lists, by number. A listed mechanism may still not work: see the profile. */
  mechanisms(): readonly ListedMechanism[] {
    const listed = callModule('C_GetMechanismList', () => this.#slot.getMechanisms());
    const mechanisms: ListedMechanism[] = [];
    for (let index = 0; index < listed.length; index++) {
      const mechanism = callModule('C_GetMechanismInfo', () => listed.items(index));
      mechanisms.push({
        type: mechanism.type,
        name: mechanismName(mechanism.type),
        keySizeMin: mechanism.minKeySize,
        keySizeMax: mechanism.maxKeySize,
        flags: mechanism.flags,
      });
    }
    return mechanisms.toSorted((a, b) => a.type - b.type);
  }
}
