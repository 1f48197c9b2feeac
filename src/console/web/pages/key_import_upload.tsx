import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { callAws } from '../api.js';
import { useAttempt } from '../attempt.js';
import { CliCommand } from '../components/cli_command.js';
import { Dialog } from '../components/dialog.js';
import { DialogFailure } from '../components/dialog_failure.js';
import { FileField, Radios, TextField } from '../components/form.js';
import { durationText } from '../components/time.js';
import { tell } from '../components/toasts.js';
import type { KeyMaterial, KeyMetadata } from '../kms.js';
import { regionNowMs } from '../lab.js';
import { base64Of } from '../octets.js';

const DAY_MS = 86_400_000;
/** How far ahead the proposed expiry is, and the furthest, days. @source AWS KMS API Reference, ImportKeyMaterial */
const VALIDITY_DAYS = { proposed: 180, max: 365 } as const;
/** Octets of wrapped material, and of an import token. @source AWS KMS API Reference, ImportKeyMaterial */
const OCTETS_MAX = 6144;

/**
 * Uploads wrapped material with its import token. Both are read when they are sent, and kept nowhere.
 *
 * @param props.materials - what the key knows already; empty for keys that have one material for ever
 * @param props.materialId - the one that is imported again
 * @param props.importType - what is proposed
 */
export function UploadMaterialDialog(props: {
  readonly region: string;
  readonly keyMetadata: KeyMetadata;
  readonly materials: readonly KeyMaterial[];
  readonly materialId?: string | undefined;
  readonly importType?: 'NEW_KEY_MATERIAL' | 'EXISTING_KEY_MATERIAL';
  readonly onDone: () => void;
  readonly onClose: () => void;
}): JSX.Element {
  const { region, keyMetadata, materials, materialId, importType = 'EXISTING_KEY_MATERIAL', onDone, onClose } = props;
  const { KeyId, KeySpec, MultiRegionConfiguration: set } = keyMetadata;
  const [material, setMaterial] = useState<File | undefined>(undefined);
  const [token, setToken] = useState<File | undefined>(undefined);
  const [type, setType] = useState<string>(importType);
  const [expires, setExpires] = useState(false);
  const [until, setUntil] = useState(() => fieldText(regionNowMs(region) + VALIDITY_DAYS.proposed * DAY_MS));
  const [description, setDescription] = useState('');
  const [isChecked, setChecked] = useState(false);
  const { isBusy, failure, attempt } = useAttempt();
  const isSymmetric = KeySpec === 'SYMMETRIC_DEFAULT';
  const isTyped = isSymmetric && materials.length > 0;
  const untilMs = Date.parse(`${until}Z`);
  const awayMs = untilMs - regionNowMs(region);
  const problems = {
    material: fileProblem(material),
    token: fileProblem(token),
    until: expires ? untilProblem(awayMs) : '',
  };
  const input = {
    KeyId,
    ExpirationModel: expires ? 'KEY_MATERIAL_EXPIRES' : 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    ...(expires && { ValidTo: untilMs / 1000 }),
    ...(isTyped && { ImportType: type }),
    ...(isTyped && materialId !== undefined && type === 'EXISTING_KEY_MATERIAL' && { KeyMaterialId: materialId }),
    ...(isSymmetric && description !== '' && { KeyMaterialDescription: description }),
  };

  const upload = (): void => {
    setChecked(true);
    if (material === undefined || token === undefined || Object.values(problems).some((text) => text !== '')) return;
    attempt(async () => {
      const files = { EncryptedKeyMaterial: await readFile(material), ImportToken: await readFile(token) };
      await callAws({ region, operation: 'ImportKeyMaterial', input: { ...input, ...files } });
      tell({ kind: 'done', title: 'Imported the key material' });
      onDone();
      onClose();
    });
  };
  return (
    <Dialog
      title={isTyped && type === 'EXISTING_KEY_MATERIAL' ? 'Reimport key material' : 'Upload key material'}
      confirm="Upload key material"
      onConfirm={upload}
      onClose={onClose}
      isBusy={isBusy}
    >
      {isTyped && (
        <Radios
          label="Which material"
          value={type}
          onInput={setType}
          choices={[
            {
              value: 'EXISTING_KEY_MATERIAL',
              label: 'Existing material',
              hint: materialId === undefined ? 'The same material once more, also with another expiry.' : materialId,
            },
            {
              value: 'NEW_KEY_MATERIAL',
              label: 'New material',
              hint: 'It waits until the key is rotated.',
              ...(set?.MultiRegionKeyType === 'REPLICA' && { refusal: 'Through the primary key only.' }),
            },
          ]}
        />
      )}
      <FileField
        label="Wrapped key material"
        hint="For example EncryptedKeyMaterial.bin"
        isRequired
        onFile={setMaterial}
        error={isChecked ? problems.material : ''}
      />
      <FileField
        label="Import token"
        hint="ImportToken.bin of the same download as the wrapping key"
        isRequired
        onFile={setToken}
        error={isChecked ? problems.token : ''}
      />
      <Radios
        label="Expiration"
        value={expires ? 'expires' : 'never'}
        onInput={(value) => setExpires(value === 'expires')}
        choices={[
          { value: 'never', label: 'Key material does not expire' },
          {
            value: 'expires',
            label: 'Key material expires',
            hint: 'It is deleted then, and the key waits for it again.',
          },
        ]}
      />
      {expires && (
        <TextField
          label="Expiration date and time (UTC)"
          hint={awayMs > 0 ? `In ${durationText(awayMs)} by the clock of ${region}` : `By the clock of ${region}`}
          isRequired
          type="datetime-local"
          value={until}
          onInput={setUntil}
          error={isChecked ? problems.until : ''}
        />
      )}
      {isSymmetric && set?.MultiRegionKeyType !== 'REPLICA' && (
        <TextField
          label="Description of the material"
          hint="Letters, digits, spaces and : / _ . -"
          value={description}
          onInput={setDescription}
        />
      )}
      <DialogFailure what="The material was not imported" failure={failure} />
      <CliCommand
        calls={[
          {
            region,
            operation: 'ImportKeyMaterial',
            input,
            files: {
              EncryptedKeyMaterial: material?.name ?? 'EncryptedKeyMaterial.bin',
              ImportToken: token?.name ?? 'ImportToken.bin',
            },
          },
        ]}
      />
    </Dialog>
  );
}

function fileProblem(file: File | undefined): string {
  if (file === undefined) return 'Choose a file.';
  if (file.size > 0 && file.size <= OCTETS_MAX) return '';
  return `${file.name} has ${file.size.toLocaleString('en')} octets: it is another file, as these have 1 to ${OCTETS_MAX.toLocaleString('en')}.`;
}

function untilProblem(awayMs: number): string {
  if (Number.isNaN(awayMs)) return 'A date and a time.';
  if (awayMs <= 0) return 'A time to come.';
  return awayMs <= VALIDITY_DAYS.max * DAY_MS ? '' : `At most ${VALIDITY_DAYS.max} days from now.`;
}

/** As fields of date and time have it. */
function fieldText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16);
}

/** Octets of a file, as base64. */
async function readFile(file: File): Promise<string> {
  return base64Of(new Uint8Array(await file.arrayBuffer()));
}
