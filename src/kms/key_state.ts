import { KmsError } from './errors.js';

/** States of a KMS key that Keyferry's keys can have. */
export type KeyState =
  'Creating' | 'Enabled' | 'Disabled' | 'PendingImport' | 'PendingDeletion' | 'PendingReplicaDeletion' | 'Updating';

/**
 * How an operation depends on the key's state. `read`: allowed in every state. `use`: cryptography with the key.
 * `replicate`: ReplicateKey. `publicKey`: GetPublicKey.
 * `parameters`, `import`, `deleteMaterial`: GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial; `rotate`:
 * RotateKeyOnDemand; `schedule` and `cancel`: ScheduleKeyDeletion and CancelKeyDeletion. `annotate`: aliases, tags and description;
 * `enable`: EnableKey and DisableKey.
 */
export type StateDemand =
  | 'read'
  | 'use'
  | 'replicate'
  | 'publicKey'
  | 'parameters'
  | 'import'
  | 'deleteMaterial'
  | 'rotate'
  | 'schedule'
  | 'cancel'
  | 'annotate'
  | 'enable';

type Refusal = (arn: string) => KmsError;

const isDisabled: Refusal = (arn) => new KmsError('DisabledException', `${arn} is disabled.`);
const isPendingDeletion: Refusal = (arn) => invalidState(`${arn} is pending deletion.`);
const isPendingReplicaDeletion: Refusal = (arn) =>
  invalidState(`${arn} is pending deletion (or pending replica deletion).`);
const isPendingImport: Refusal = (arn) => invalidState(`${arn} is pending import.`);
const isCreating: Refusal = (arn) => invalidState(`${arn} is creating.`);
const isNotPendingDeletion: Refusal = (arn) => invalidState(`${arn} is not pending deletion.`);
const isUpdating: Refusal = (arn) => invalidState(`${arn} is updating.`);

function invalidState(message: string): KmsError {
  return new KmsError('KMSInvalidStateException', message);
}

const USE: Readonly<Record<KeyState, Refusal | null>> = {
  Enabled: null,
  Updating: null,
  Disabled: isDisabled,
  PendingDeletion: isPendingDeletion,
  PendingReplicaDeletion: isPendingReplicaDeletion,
  PendingImport: isPendingImport,
  Creating: isCreating,
};

/** Management that a key which is to be deleted does not admit. */
const MANAGE: Readonly<Record<KeyState, Refusal | null>> = {
  Enabled: null,
  Disabled: null,
  PendingImport: null,
  PendingDeletion: isPendingDeletion,
  PendingReplicaDeletion: isPendingReplicaDeletion,
  Creating: isCreating,
  Updating: isUpdating,
};

const REFUSALS: Readonly<Record<StateDemand, Readonly<Record<KeyState, Refusal | null>> | null>> = {
  read: null,
  use: USE,
  replicate: { ...USE, Updating: isUpdating },
  publicKey: { ...USE, Disabled: null, PendingImport: null },
  parameters: MANAGE,
  import: { ...MANAGE, Updating: null },
  deleteMaterial: { ...MANAGE, PendingDeletion: null, PendingReplicaDeletion: null },
  rotate: USE,
  schedule: { ...MANAGE, Creating: null },
  annotate: { ...MANAGE, Creating: null, Updating: null },
  enable: { ...MANAGE, PendingImport: isPendingImport },
  cancel: {
    Enabled: isNotPendingDeletion,
    Disabled: isNotPendingDeletion,
    PendingImport: isNotPendingDeletion,
    Creating: isNotPendingDeletion,
    Updating: isNotPendingDeletion,
    PendingDeletion: null,
    PendingReplicaDeletion: null,
  },
};

/**
 * Checks that a key's state admits an operation.
 *
 * @param arn - the key's ARN, for the text
 * @throws {@link KmsError} `DisabledException` or `KMSInvalidStateException`
 * @source AWS KMS Developer Guide, "Key states of AWS KMS keys"
 */
export function requireState(demand: StateDemand, state: KeyState, arn: string): void {
  const refusal = REFUSALS[demand]?.[state] ?? null;
  if (refusal !== null) throw refusal(arn);
}
