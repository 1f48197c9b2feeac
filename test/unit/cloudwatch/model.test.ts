import * as sdk from '@aws-sdk/client-cloudwatch';
import { expect } from 'chai';
import { OPERATIONS } from '../../../src/surfaces/cloudwatch/operations.js';
import { membersOf } from '../../../src/surfaces/cloudwatch/shape.js';

/** Members of the service's answers that are not there, because what they are about is not there. */
const ABSENT_OUTPUT: Readonly<Record<string, readonly string[]>> = {
  DescribeAlarmHistory: [],
  DescribeAlarms: ['LogAlarms'],
  DescribeAlarmsForMetric: [],
  GetMetricData: ['Messages'],
  GetMetricStatistics: [],
  ListMetrics: ['OwningAccounts'],
  ListTagsForResource: [],
  TagResource: [],
  UntagResource: [],
};

/** Operations that are not there: docs/DIVERGENCES.md says what of them. */
const ABSENT_OPERATIONS =
  /Dashboard|MetricStream|Insight|Anomaly|Composite|Mute|OTel|Contributor|MetricWidget|Dataset|ResourceMetrics|LogAlarm/;

/** A shape of the SDK: kind, namespace, name, traits, names of members, … */
function membersOfSdk(name: string): readonly string[] {
  const shape: unknown = (sdk as Readonly<Record<string, unknown>>)[`${name}$`];
  if (!Array.isArray(shape)) throw new Error(`the SDK has no shape ${name}`);
  return shape[4] as readonly string[];
}

describe('The operations of CloudWatch', () => {
  it('are those of the SDK, but for what is said not to be there', () => {
    const ofSdk = Object.keys(sdk)
      .filter((name) => name.endsWith('Command') && !name.startsWith('$'))
      .map((name) => name.slice(0, -'Command'.length))
      .filter((name) => !ABSENT_OPERATIONS.test(name));
    expect([...OPERATIONS.keys()].toSorted()).to.deep.equal(ofSdk.toSorted());
  });

  it('take the members of the SDK’s model', () => {
    for (const [name, { input }] of OPERATIONS) {
      const ours = membersOf(input).map(([member]) => member);
      expect(ours.toSorted(), name).to.deep.equal(membersOfSdk(`${name}Input`).toSorted());
    }
  });

  it('answer with the members of the SDK’s model', () => {
    for (const [name, { output }] of OPERATIONS) {
      if (output === null) continue;
      const ours = membersOf(output).map(([member]) => member);
      expect([...ours, ...(ABSENT_OUTPUT[name] ?? [])].toSorted(), name).to.deep.equal(
        membersOfSdk(`${name}Output`).toSorted(),
      );
    }
  });
});
