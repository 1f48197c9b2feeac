import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Button } from '../components/button.js';
import { Facts, Panel } from '../components/facts.js';
import { Notice } from '../components/notice.js';
import { KeyStatus, Status } from '../components/status.js';
import { Time } from '../components/time.js';
import type { KeyView } from '../key_tabs.js';
import { describeKey, type KeyMaterial, type KeyMetadata } from '../kms.js';
import { useLive } from '../live.js';
import { Link, pathOf } from '../router.js';
import { ExpiryAlarms } from './alarm_key.js';
import { DeleteMaterialDialog } from './key_action_dialogs.js';
import { ImportParametersDialog } from './key_import_parameters.js';
import { UploadMaterialDialog } from './key_import_upload.js';
import { MaterialsTable, RotateNow } from './key_materials.js';

type Opened =
  | { readonly dialog: 'parameters' }
  | { readonly dialog: 'upload'; readonly materialId?: string; readonly isNew?: boolean }
  | { readonly dialog: 'delete'; readonly materialId?: string };

const ENDING: ReadonlySet<string> = new Set(['PendingDeletion', 'PendingReplicaDeletion']);

/** Imported material of a key: what is there, and what brings and deletes it. */
export function KeyMaterialTab(view: KeyView): JSX.Element {
  const { region, key, materials, reload } = view;
  const [opened, setOpened] = useState<Opened | undefined>(undefined);
  const close = (): void => setOpened(undefined);
  const isEnding = ENDING.has(key.KeyState);
  const hasMaterial = key.ExpirationModel !== undefined;
  return (
    <>
      {key.KeyState === 'PendingImport' && <HowToImport isAgain={isTied(key, materials)} />}
      <Panel
        title="Key material"
        actions={
          <>
            <Button isDisabled={isEnding} onClick={() => setOpened({ dialog: 'parameters' })}>
              Download wrapping key and import token
            </Button>
            <Button isDisabled={isEnding} onClick={() => setOpened({ dialog: 'upload' })}>
              Upload key material
            </Button>
            <Button isDisabled={!hasMaterial} onClick={() => setOpened({ dialog: 'delete' })}>
              Delete key material
            </Button>
          </>
        }
      >
        <MaterialFacts {...view} />
      </Panel>
      {key.KeySpec === 'SYMMETRIC_DEFAULT' && materials.length > 0 && (
        <>
          {materials.some(({ KeyMaterialState: state }) => state === 'PENDING_ROTATION') && <RotateNow {...view} />}
          <MaterialsTable
            region={region}
            materials={materials}
            actions={({ KeyMaterialId: materialId, ImportState: state }) => (
              <span class="row-actions">
                <Button isSmall isDisabled={isEnding} onClick={() => setOpened({ dialog: 'upload', materialId })}>
                  Reimport
                </Button>
                <Button
                  isSmall
                  isDisabled={state !== 'IMPORTED'}
                  onClick={() => setOpened({ dialog: 'delete', materialId })}
                >
                  Delete
                </Button>
              </span>
            )}
          />
        </>
      )}
      <ExpiryAlarms region={region} keyMetadata={key} />
      {opened?.dialog === 'parameters' && (
        <ImportParametersDialog
          region={region}
          keyMetadata={key}
          onUpload={() => setOpened({ dialog: 'upload' })}
          onClose={close}
        />
      )}
      {opened?.dialog === 'upload' && (
        <UploadMaterialDialog
          region={region}
          keyMetadata={key}
          materials={materials}
          materialId={opened.materialId}
          onDone={reload}
          onClose={close}
        />
      )}
      {opened?.dialog === 'delete' && (
        <DeleteMaterialDialog
          region={region}
          keys={[key]}
          {...(opened.materialId !== undefined && { materialId: opened.materialId })}
          onDone={reload}
          onClose={close}
        />
      )}
    </>
  );
}

/** Whether something was imported before: only the same can be imported again. */
function isTied({ CurrentKeyMaterialId: current }: KeyMetadata, materials: readonly KeyMaterial[]): boolean {
  return current !== undefined || materials.length > 0;
}

function HowToImport({ isAgain }: { readonly isAgain: boolean }): JSX.Element {
  return (
    <Notice tone="attention">
      <p>
        <strong>
          {isAgain
            ? 'The key waits for its material: exactly what was imported before.'
            : 'The key has no material yet.'}
        </strong>
      </p>
      <p>
        Download a wrapping key and its import token, wrap the material with it where the material is, and upload the
        result together with the token within 24 hours.
      </p>
    </Notice>
  );
}

function MaterialFacts({ region, key, materials }: KeyView): JSX.Element {
  const { ExpirationModel: model, ValidTo: validTo, CurrentKeyMaterialId: id } = key;
  const expiry: ComponentChildren =
    validTo === undefined ? model === undefined ? '' : 'Does not expire' : <Time seconds={validTo} region={region} />;
  const missing = materials.filter(({ ImportState: state }) => state === 'PENDING_IMPORT').length;
  return (
    <Facts
      facts={[
        [
          'Status',
          model === undefined || missing > 0 ? (
            <Status key="state" tone="attention">
              Pending import
            </Status>
          ) : (
            <Status key="state" tone="good">
              Imported
            </Status>
          ),
        ],
        ['Expiration model', model],
        ['Expiration date', expiry],
        ['Key material ID', id === undefined ? undefined : <code key="id">{id}</code>],
        ['Replica import state', replicasOf(key).length === 0 ? undefined : <ReplicaImports key="replicas" {...key} />],
      ]}
    />
  );
}

function replicasOf({
  MultiRegionConfiguration: set,
}: KeyMetadata): readonly { readonly Arn: string; readonly Region: string }[] {
  return set?.MultiRegionKeyType === 'PRIMARY' ? set.ReplicaKeys : [];
}

/** How many replicas have their material: it does not travel, each Region imports for itself. */
function ReplicaImports(key: KeyMetadata): JSX.Element {
  const replicas = replicasOf(key);
  const live = useLive(
    (signal) =>
      Promise.all(
        replicas.map(async ({ Region: region }) => {
          const replica = await describeKey(region, key.KeyId, signal).catch(() => undefined);
          return { region, state: replica?.KeyState ?? 'Unavailable', model: replica?.ExpirationModel };
        }),
      ),
    { inputs: [key.KeyId, ...replicas.map(({ Region }) => Region)] },
  );
  const found = live.value ?? [];
  const imported = found.filter(({ model }) => model !== undefined).length;
  return (
    <>
      {`${imported} of ${replicas.length} imported`}
      <ul>
        {found.map(({ region, state }) => (
          <li key={region}>
            <Link to={pathOf(region, 'keys', key.KeyId, 'material')}>{region}</Link> <KeyStatus state={state} />
          </li>
        ))}
      </ul>
    </>
  );
}
