import { alarmNameOf, checkedTags, taggedAlarm } from '../alarm_tags.js';
import type { Tag } from '../alarm.js';
import { authorize, type MonitoringOperation } from '../region.js';

/**
 * Gives an alarm tags.
 *
 * @throws {@link MonitoringError} `InvalidParameterValue`, `ResourceNotFoundException`, `AccessDenied`
 * @source Amazon CloudWatch API Reference, TagResource
 */
export const tagResource: MonitoringOperation<
  { readonly ResourceARN: string; readonly Tags: readonly Tag[] },
  object
> = async (call, { ResourceARN, Tags }) => {
  const { region } = call;
  const name = alarmNameOf(region, ResourceARN);
  authorize(call, 'TagResource', name);
  region.alarms.transaction(() => {
    const alarm = taggedAlarm(region, name);
    region.alarms.put({ ...alarm, tags: checkedTags(alarm.tags, Tags) });
  });
  return {};
};

/**
 * Takes tags from an alarm; keys that it lacks are passed over.
 *
 * @throws {@link MonitoringError} `InvalidParameterValue`, `ResourceNotFoundException`, `AccessDenied`
 * @source Amazon CloudWatch API Reference, UntagResource
 */
export const untagResource: MonitoringOperation<
  { readonly ResourceARN: string; readonly TagKeys: readonly string[] },
  object
> = async (call, { ResourceARN, TagKeys }) => {
  const { region } = call;
  const name = alarmNameOf(region, ResourceARN);
  authorize(call, 'UntagResource', name);
  region.alarms.transaction(() => {
    const alarm = taggedAlarm(region, name);
    region.alarms.put({ ...alarm, tags: alarm.tags.filter(({ Key }) => !TagKeys.includes(Key)) });
  });
  return {};
};

/**
 * Shows an alarm's tags.
 *
 * @throws {@link MonitoringError} `InvalidParameterValue`, `ResourceNotFoundException`, `AccessDenied`
 * @source Amazon CloudWatch API Reference, ListTagsForResource
 */
export const listTagsForResource: MonitoringOperation<
  { readonly ResourceARN: string },
  { readonly Tags: readonly Tag[] }
> = async (call, { ResourceARN }) => {
  const { region } = call;
  const name = alarmNameOf(region, ResourceARN);
  authorize(call, 'ListTagsForResource', name);
  return { Tags: taggedAlarm(region, name).tags };
};
