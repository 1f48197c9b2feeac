import { LIMITS } from '../limits.js';
import { alarmNameIn, type Alarm, type Tag } from './alarm.js';
import { invalidValue, MonitoringError } from './errors.js';
import type { MonitoringRegion } from './region.js';

/**
 * Tags with others added; those of the same key are replaced.
 *
 * @throws {@link MonitoringError} `InvalidParameterValue`
 */
export function checkedTags(tags: readonly Tag[], added: readonly Tag[]): readonly Tag[] {
  if (new Set(added.map(({ Key }) => Key)).size < added.length)
    throw invalidValue('No two tags may have the same key.');
  if (added.some(({ Key }) => Key.toLowerCase().startsWith('aws:'))) {
    throw invalidValue('Tag keys that begin with aws: are reserved.');
  }
  const all = new Map([...tags, ...added].map(({ Key, Value }) => [Key, Value]));
  if (all.size > LIMITS.kmsTagsMax) throw invalidValue(`A resource has at most ${LIMITS.kmsTagsMax} tags.`);
  return [...all].map(([Key, Value]) => ({ Key, Value }));
}

/** The name of the alarm that an ARN is of. @throws {@link MonitoringError} `InvalidParameterValue` */
export function alarmNameOf(region: MonitoringRegion, arn: string): string {
  const name = alarmNameIn(arn, region.home);
  if (name === undefined) throw invalidValue(`The resource ${arn} is no alarm of this Region.`);
  return name;
}

/** The alarm of a name. @throws {@link MonitoringError} `ResourceNotFoundException` */
export function taggedAlarm(region: MonitoringRegion, name: string): Alarm {
  const alarm = region.alarms.alarm(name);
  if (alarm === undefined) throw new MonitoringError('ResourceNotFoundException', `The alarm ${name} does not exist.`);
  return alarm;
}
