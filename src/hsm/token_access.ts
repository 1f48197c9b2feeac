import { Executor } from '../token/executor.js';
import { logIn, openLoggedInSession } from '../token/login.js';
import { checkCall } from '../token/module_call.js';
import type { TokenModule } from '../token/module.js';
import type { PinSource } from '../token/native.js';
import type { Slot } from '../token/slot.js';
import type { JobRunner } from './job_runner.js';
import type { ProvisionAccess } from './provision.js';

/** The token that is provisioned, and where its PINs come from. Nobody else in the process may be logged in to it. */
export interface ProvisionedToken {
  readonly module: TokenModule;
  readonly slot: Slot;
  readonly userPin: PinSource;
  /** Null to go without a trusted domain key. */
  readonly soPin: PinSource | null;
}

/**
 * Logs in to a token for as long as one piece of provisioning takes, and out again by closing the last session.
 *
 * @throws {@link TokenError} as `openLoggedInSession`; a wrong PIN of the security officer is not tried twice
 */
export function accessTo(token: ProvisionedToken): ProvisionAccess {
  const { module, slot, userPin, soPin } = token;
  const whileOpen = async <Result>(session: bigint, work: (runner: JobRunner) => Promise<Result>): Promise<Result> => {
    try {
      const executor = await Executor.open({ module: module.native, slotId: slot.slotId, threads: 1 });
      try {
        return await work(executor);
      } finally {
        await executor.close();
      }
    } finally {
      module.native.closeSession(session);
    }
  };
  return {
    asUser: async (work) => {
      const { serial, label } = slot.token();
      const target = { modulePath: module.path, serial, label };
      return whileOpen(await openLoggedInSession(module, slot.slotId, target, userPin), work);
    },
    asSecurityOfficer:
      soPin === null
        ? null
        : async (work) => {
            const opened = module.native.openSession(slot.slotId, { readWrite: true });
            checkCall(opened);
            try {
              const { serial, label } = slot.token();
              await logIn(module, opened.session, { user: 'so', modulePath: module.path, serial, label }, soPin);
            } catch (error) {
              module.native.closeSession(opened.session);
              throw error;
            }
            return whileOpen(opened.session, work);
          },
  };
}
