import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { conditionText, listExpiryAlarms } from '../alarms.js';
import { Button } from '../components/button.js';
import { Panel } from '../components/facts.js';
import { Loaded } from '../components/states.js';
import { useEvery } from '../every.js';
import type { KeyMetadata } from '../kms.js';
import { useLive } from '../live.js';
import { Link, pathOf } from '../router.js';
import { ExpiryAlarmDialog } from './alarm_expiry.js';
import { ALARM_REFRESH_MS, AlarmStatus } from './alarms.js';

/** The alarms on the expiry of a key's imported material, and what makes one. */
export function ExpiryAlarms(props: { readonly region: string; readonly keyMetadata: KeyMetadata }): JSX.Element {
  const { region, keyMetadata } = props;
  const [isCreating, setCreating] = useState(false);
  const live = useLive((signal) => listExpiryAlarms(region, keyMetadata.KeyId, signal), {
    inputs: [region, keyMetadata.KeyId],
    region,
  });
  useEvery(ALARM_REFRESH_MS, () => live.reload());
  return (
    <Panel title="Expiry alarms" actions={<Button onClick={() => setCreating(true)}>Create expiry alarm</Button>}>
      <Loaded live={live} what="the alarms">
        {(alarms) =>
          alarms.length === 0 ? (
            <p class="quiet">Nobody is warned before the material expires.</p>
          ) : (
            <ul class="alarms">
              {alarms.map((alarm) => (
                <li key={alarm.AlarmName}>
                  <AlarmStatus state={alarm.StateValue} />
                  <Link to={pathOf(region, 'alarms', alarm.AlarmName)}>{alarm.AlarmName}</Link>
                  <span class="quiet">{conditionText(alarm)}</span>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      {isCreating && (
        <ExpiryAlarmDialog
          region={region}
          keyMetadata={keyMetadata}
          onClose={() => setCreating(false)}
          onDone={() => live.reload()}
        />
      )}
    </Panel>
  );
}
