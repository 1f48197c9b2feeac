import type { HsmCapabilities } from '../../src/hsm/capability.js';
import { provisionRegion } from '../../src/hsm/provision.js';
import { accessTo } from '../../src/hsm/token_access.js';
import { TokenModule, type ModuleSettings } from '../../src/token/module.js';
import type { PinSource } from '../../src/token/native.js';

/** What the process is told, as JSON in its first argument. */
interface ProvisionTask {
  readonly modulePath: string;
  readonly settings: ModuleSettings;
  readonly slotId: number;
  readonly userPin: PinSource;
  readonly soPin: PinSource | null;
  readonly capabilities: HsmCapabilities;
}

const task = JSON.parse(process.argv[2] ?? '') as ProvisionTask;
const module = TokenModule.load(task.modulePath);
module.initialise(task.settings);
process.stdout.write('begun\n');
const { userPin, soPin } = task;
await provisionRegion(
  accessTo({ module, slot: module.findToken({ slotId: task.slotId }), userPin, soPin }),
  task.capabilities,
);
module.close();
