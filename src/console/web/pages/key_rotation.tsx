import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { callAws } from '../api.js';
import { ActionDialog } from '../components/action_dialog.js';
import { Button } from '../components/button.js';
import { CliCommand } from '../components/cli_command.js';
import { Facts, Panel } from '../components/facts.js';
import { Radios, TextField } from '../components/form.js';
import { Loaded } from '../components/states.js';
import { Status } from '../components/status.js';
import { Time } from '../components/time.js';
import type { KeyView } from '../key_tabs.js';
import { listMaterials } from '../kms.js';
import { useLive } from '../live.js';
import { MaterialsTable, RotateNow } from './key_materials.js';

interface RotationStatus {
  readonly KeyRotationEnabled: boolean;
  readonly RotationPeriodInDays?: number;
  readonly NextRotationDate?: number;
  readonly OnDemandRotationStartDate?: number;
}

/** Days between automatic rotations. @source AWS KMS API Reference, EnableKeyRotation */
const PERIOD_DAYS = { min: 90, max: 2560, proposed: 365 } as const;

/** Rotation of a symmetric encryption key: automatic, on demand, and what was. */
export function KeyRotationTab(view: KeyView): JSX.Element {
  const { region, key, reload } = view;
  const [isEditing, setEditing] = useState(false);
  const live = useLive(
    async (signal) => {
      const input = { KeyId: key.KeyId };
      const [status, materials] = await Promise.all([
        callAws<RotationStatus>({ region, operation: 'GetKeyRotationStatus', input }, signal),
        listMaterials(region, key.KeyId, signal),
      ]);
      return { status, materials };
    },
    { inputs: [region, key.KeyId], region },
  );
  const isReplica = key.MultiRegionConfiguration?.MultiRegionKeyType === 'REPLICA';
  return (
    <Loaded live={live} what="the rotation of the key">
      {({ status, materials }) => (
        <>
          <Panel
            title="Automatic key rotation"
            actions={!isReplica && <Button onClick={() => setEditing(true)}>Edit</Button>}
          >
            <RotationFacts region={region} status={status} />
            {isReplica && <p class="quiet">The primary key decides about the rotation of its replicas.</p>}
            <CliCommand calls={[{ region, operation: 'GetKeyRotationStatus', input: { KeyId: key.KeyId } }]} />
          </Panel>
          {!isReplica && (
            <RotateNow
              {...view}
              reload={() => {
                reload();
                live.reload();
              }}
            />
          )}
          <MaterialsTable region={region} materials={materials} />
          {isEditing && (
            <EditRotation {...view} status={status} onDone={() => live.reload()} onClose={() => setEditing(false)} />
          )}
        </>
      )}
    </Loaded>
  );
}

function RotationFacts({ region, status }: { readonly region: string; readonly status: RotationStatus }): JSX.Element {
  const { KeyRotationEnabled: isOn, RotationPeriodInDays: days, NextRotationDate: next } = status;
  const { OnDemandRotationStartDate: started } = status;
  return (
    <Facts
      facts={[
        [
          'Status',
          <Status key="status" tone={isOn ? 'good' : 'neutral'}>
            {isOn ? 'Enabled' : 'Disabled'}
          </Status>,
        ],
        ['Rotation period', days === undefined ? undefined : `${days} days`],
        ['Next rotation date', next === undefined ? undefined : <Time key="next" seconds={next} region={region} />],
        [
          'On-demand rotation began',
          started === undefined ? undefined : <Time key="started" seconds={started} region={region} />,
        ],
      ]}
    />
  );
}

function EditRotation(
  props: KeyView & { readonly status: RotationStatus; readonly onDone: () => void; readonly onClose: () => void },
): JSX.Element {
  const { region, key, status, onDone, onClose } = props;
  const [isOn, setOn] = useState(status.KeyRotationEnabled);
  const [text, setText] = useState(String(status.RotationPeriodInDays ?? PERIOD_DAYS.proposed));
  const days = Number(text);
  const isPeriod = Number.isInteger(days) && days >= PERIOD_DAYS.min && days <= PERIOD_DAYS.max;
  const input = { KeyId: key.KeyId };
  const call = isOn
    ? { region, operation: 'EnableKeyRotation', input: { ...input, RotationPeriodInDays: days } }
    : { region, operation: 'DisableKeyRotation', input };
  return (
    <ActionDialog
      title="Edit automatic key rotation"
      confirm="Save"
      calls={isOn && !isPeriod ? [] : [call]}
      done="Changed the rotation of the key"
      onDone={onDone}
      onClose={onClose}
    >
      <Radios
        label="Automatic key rotation"
        value={isOn ? 'on' : 'off'}
        onInput={(value) => setOn(value === 'on')}
        choices={[
          { value: 'on', label: 'Enable' },
          { value: 'off', label: 'Disable' },
        ]}
      />
      {isOn && (
        <TextField
          label="Rotation period (in days)"
          hint={`From ${PERIOD_DAYS.min} to ${PERIOD_DAYS.max.toLocaleString('en')}; the first rotation is a period from now.`}
          isRequired
          type="number"
          value={text}
          onInput={setText}
          error={isPeriod ? '' : `A whole number from ${PERIOD_DAYS.min} to ${PERIOD_DAYS.max}`}
        />
      )}
    </ActionDialog>
  );
}
