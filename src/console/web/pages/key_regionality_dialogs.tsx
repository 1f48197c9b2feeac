import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ActionDialog } from '../components/action_dialog.js';
import { Checkbox, SelectField, TextField } from '../components/form.js';
import { Notice } from '../components/notice.js';
import type { KeyMetadata } from '../kms.js';

interface RegionalityDialogProps {
  readonly region: string;
  readonly keyMetadata: KeyMetadata;
  readonly onDone: () => void;
  readonly onClose: () => void;
}

/**
 * Replicates a multi-Region key.
 *
 * @param props.free - Regions that have none of it
 */
export function CreateReplicasDialog(
  props: RegionalityDialogProps & { readonly free: readonly string[] },
): JSX.Element {
  const { region, keyMetadata, free, onDone, onClose } = props;
  const { KeyId, Origin } = keyMetadata;
  const [chosen, setChosen] = useState<readonly string[]>(free.length === 1 ? free : []);
  const [description, setDescription] = useState(keyMetadata.Description);
  const calls = chosen.map((ReplicaRegion) => ({
    region,
    operation: 'ReplicateKey',
    input: { KeyId, ReplicaRegion, ...(description !== '' && { Description: description }) },
  }));
  return (
    <ActionDialog
      title="Create replica keys"
      confirm={chosen.length > 1 ? `Create ${chosen.length} replica keys` : 'Create replica key'}
      calls={calls}
      done="The key is on its way"
      onDone={onDone}
      onClose={onClose}
    >
      <fieldset class="field choices">
        <legend>Regions</legend>
        {free.map((name) => (
          <Checkbox
            key={name}
            label={name}
            isChecked={chosen.includes(name)}
            onChange={(isChosen) =>
              setChosen(free.filter((other) => (other === name ? isChosen : chosen.includes(other))))
            }
          />
        ))}
      </fieldset>
      <TextField
        label="Description of the replicas"
        hint="A replica has a description, aliases, tags and a policy of its own."
        value={description}
        onInput={setDescription}
      />
      {Origin === 'EXTERNAL' && (
        <Notice>
          <p>
            Imported material does not travel: a replica is Pending import until the same material is imported there.
          </p>
        </Notice>
      )}
    </ActionDialog>
  );
}

/** Makes a replica the primary. */
export function ChangePrimaryDialog({ region, keyMetadata, onDone, onClose }: RegionalityDialogProps): JSX.Element {
  const replicas = keyMetadata.MultiRegionConfiguration?.ReplicaKeys ?? [];
  const [chosen, setChosen] = useState(replicas[0]?.Region ?? '');
  const call = {
    region,
    operation: 'UpdatePrimaryRegion',
    input: { KeyId: keyMetadata.KeyId, PrimaryRegion: chosen },
  };
  return (
    <ActionDialog
      title="Change primary Region"
      confirm="Change primary Region"
      calls={chosen === '' ? [] : [call]}
      done={`The primary goes to ${chosen}`}
      onDone={onDone}
      onClose={onClose}
    >
      <p>
        The primary key is in <strong>{region}</strong>. It becomes a replica, and both are Updating for a moment: they
        can be used all the time.
      </p>
      <SelectField
        label="New primary Region"
        isRequired
        value={chosen}
        onInput={setChosen}
        choices={replicas.map(({ Region }) => ({ value: Region, label: Region }))}
      />
    </ActionDialog>
  );
}
