import type { HsmCapabilities } from '../../src/hsm/capability.js';
import { provisionRegion } from '../../src/hsm/provision.js';
import { accessTo } from '../../src/hsm/token_access.js';
import { TokenModule } from '../../src/token/module.js';
import type { PinSource } from '../../src/token/native.js';
import { prepareTokenDirectory, type SoftwareTokenKind } from '../../src/token/token_directory.js';

/** What the process is told, as JSON in its first argument. */
interface ProvisionTask {
  readonly modulePath: string;
  readonly kind: SoftwareTokenKind;
  /** The token's own, as `prepareTokenDirectory` made it. */
  readonly directory: string;
  readonly label: string;
  readonly slotId: number;
  readonly userPin: PinSource;
  readonly soPin: PinSource | null;
  readonly capabilities: HsmCapabilities;
}

const task = JSON.parse(process.argv[2] ?? '') as ProvisionTask;
const module = TokenModule.load(task.modulePath);
module.initialise(prepareTokenDirectory(task.kind, task.directory, task.label));
process.stdout.write('begun\n');
const { userPin, soPin } = task;
await provisionRegion(
  accessTo({ module, slot: module.findToken({ slotId: task.slotId }), userPin, soPin }),
  task.capabilities,
);
module.close();
