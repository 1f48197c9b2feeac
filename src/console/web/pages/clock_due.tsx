import type { JSX } from 'preact';
import { callAws } from '../api.js';
import { Panel } from '../components/facts.js';
import { Loaded } from '../components/states.js';
import { timeText } from '../components/time.js';
import { lab } from '../lab.js';
import { useLive } from '../live.js';
import { Link, pathOf } from '../router.js';
import type { ClockReadings } from './clock.js';

/** Something that a Region did by itself. */
interface Due {
  readonly id: string;
  readonly region: string;
  readonly name: string;
  readonly seconds: number;
  readonly keyId: string;
}

interface TrailEvent {
  readonly EventId: string;
  readonly EventName: string;
  readonly EventTime: number;
  readonly CloudTrailEvent?: string;
  readonly Resources?: readonly { readonly ResourceName?: string }[];
}

const SHOWN_MAX = 50;

/** What the Regions did because the time was moved: their trails say so. */
export function WhatWasDue({ before }: { readonly before: ClockReadings | undefined }): JSX.Element {
  const live = useLive(
    async (signal) => {
      if (before === undefined) return [];
      const found = await Promise.all(
        (lab.value?.regions ?? []).map((region) => dueIn(region, before[region] ?? 0, signal)),
      );
      return found
        .flat()
        .toSorted((one, other) => other.seconds - one.seconds)
        .slice(0, SHOWN_MAX);
    },
    { inputs: [JSON.stringify(before ?? null)] },
  );
  return (
    <Panel title="What was due">
      {before === undefined ? (
        <p class="quiet">Move the time, and see here what the Regions did because of it.</p>
      ) : (
        <Loaded live={live} what="what was due">
          {(events) =>
            events.length === 0 ? (
              <p class="quiet">Nothing became due yet. What takes a moment appears here by itself.</p>
            ) : (
              <ul class="due" aria-label="What was due">
                {events.map(({ id, region, name, seconds, keyId }) => (
                  <li key={id}>
                    <strong>{name}</strong> <span>{region}</span>{' '}
                    {keyId !== '' && (
                      <Link to={pathOf(region, 'keys', keyId)}>
                        <code>{keyId}</code>
                      </Link>
                    )}{' '}
                    <time class="quiet">{timeText(seconds * 1000)}</time>
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      )}
    </Panel>
  );
}

/** Events of the service itself since a time of the Region's clock. */
async function dueIn(region: string, sinceMs: number, signal: AbortSignal): Promise<readonly Due[]> {
  const { Events } = await callAws<{ readonly Events: readonly TrailEvent[] }>(
    {
      region,
      service: 'cloudtrail',
      operation: 'LookupEvents',
      input: { StartTime: Math.floor(sinceMs / 1000), MaxResults: 50 },
    },
    signal,
  );
  return Events.flatMap(({ EventId, EventName, EventTime, CloudTrailEvent = '{}', Resources = [] }) => {
    const { eventType } = JSON.parse(CloudTrailEvent) as { readonly eventType?: string };
    if (eventType !== 'AwsServiceEvent') return [];
    const keyId = Resources[0]?.ResourceName?.split('/').at(-1) ?? '';
    return [{ id: EventId, region, name: EventName, seconds: EventTime, keyId }];
  });
}
