import { expect } from 'chai';
import type { AlarmConfiguration, AlarmState, Comparison, MissingData } from '../../../src/monitoring/alarm.js';
import { breaches, evaluateAlarm, evaluationRange } from '../../../src/monitoring/alarm_evaluation.js';
import { reasonOf } from '../../../src/monitoring/alarm_reason.js';
import { singleSample, type Sample } from '../../../src/monitoring/statistic.js';

const NOW_MS = Date.UTC(2026, 10, 21, 12, 0, 30);

const CONFIGURATION: AlarmConfiguration = {
  description: null,
  actionsEnabled: true,
  actions: { OK: [], ALARM: [], INSUFFICIENT_DATA: [] },
  namespace: 'Test',
  metricName: 'Value',
  dimensions: [],
  statistic: 'Maximum',
  periodSeconds: 60,
  unit: null,
  evaluationPeriods: 3,
  datapointsToAlarm: null,
  threshold: 1,
  comparison: 'GreaterThanThreshold',
  missingData: null,
};

/** Samples as the documentation draws them, the newest last: `0` is good, `X` breaches, `-` is missing. */
function drawn(picture: string): readonly Sample[] {
  const marks = picture.split(' ');
  const { toMs } = evaluationRange(CONFIGURATION, NOW_MS);
  return marks.flatMap((mark, index) =>
    mark === '-' ? [] : [singleSample(toMs - (marks.length - index) * 60_000, mark === 'X' ? 5 : 0, 'None')],
  );
}

function stateOf(picture: string, members: Partial<AlarmConfiguration>): AlarmState | null {
  const configuration = { ...CONFIGURATION, ...members };
  return evaluateAlarm(configuration, evaluationRange(configuration, NOW_MS), drawn(picture)).state;
}

const TREATMENTS: readonly MissingData[] = ['missing', 'ignore', 'breaching', 'notBreaching'];

type Row = readonly [string, ...(AlarmState | null)[]];

/** State under each treatment, null where the alarm stays what it is. @source Amazon CloudWatch User Guide, missing data */
const THREE_OF_THREE: readonly Row[] = [
  ['0 - X - X', 'OK', 'OK', 'OK', 'OK'],
  ['0 - - - -', 'OK', 'OK', 'OK', 'OK'],
  ['- - - - -', 'INSUFFICIENT_DATA', null, 'ALARM', 'OK'],
  ['0 X X - X', 'ALARM', 'ALARM', 'ALARM', 'ALARM'],
  ['- - X - -', 'ALARM', null, 'ALARM', 'OK'],
];
const TWO_OF_THREE: readonly Row[] = [
  ['0 - X - X', 'ALARM', 'ALARM', 'ALARM', 'ALARM'],
  ['0 0 X 0 X', 'ALARM', 'ALARM', 'ALARM', 'ALARM'],
  ['0 - X - -', 'OK', 'OK', 'ALARM', 'OK'],
  ['- - - - 0', 'OK', 'OK', 'ALARM', 'OK'],
  ['- - - X -', 'ALARM', null, 'ALARM', 'OK'],
];

describe('The evaluation of an alarm', () => {
  for (const [name, rows, datapointsToAlarm] of [
    ['three of three', THREE_OF_THREE, null],
    ['two of three', TWO_OF_THREE, 2],
  ] as const) {
    for (const [picture, ...states] of rows) {
      it(`treats ${picture} as the documentation says where ${name} data points make an alarm`, () => {
        const found = TREATMENTS.map((missingData) => stateOf(picture, { missingData, datapointsToAlarm }));
        expect(found).to.deep.equal(states);
      });
    }
  }

  it('does not take the first of few breaching data points for an alarm', () => {
    expect(stateOf('- - - - X', {})).to.equal(null);
    expect(stateOf('- - - X X', {})).to.equal(null);
    expect(stateOf('- - X X X', {})).to.equal('ALARM');
  });

  it('compares as each operator says', () => {
    const table: Readonly<Record<Comparison, readonly boolean[]>> = {
      GreaterThanOrEqualToThreshold: [false, true, true],
      GreaterThanThreshold: [false, false, true],
      LessThanThreshold: [true, false, false],
      LessThanOrEqualToThreshold: [true, true, false],
    };
    for (const [comparison, expected] of Object.entries(table)) {
      expect([0, 1, 2].map((value) => breaches(value, comparison as Comparison, 1))).to.deep.equal(expected);
    }
  });

  it('joins the samples of a period by the statistic, and looks at one unit only where one is named', () => {
    const at = evaluationRange(CONFIGURATION, NOW_MS).toMs - 60_000;
    const samples = [singleSample(at, 4, 'Seconds'), singleSample(at + 1, 2, 'Seconds'), singleSample(at, 0, 'Count')];
    const one = { evaluationPeriods: 1, threshold: 3.5, unit: 'Seconds' } as const;
    const stateBy = (members: Partial<AlarmConfiguration>): AlarmState | null => {
      const configuration = { ...CONFIGURATION, ...one, ...members };
      return evaluateAlarm(configuration, evaluationRange(configuration, NOW_MS), samples).state;
    };
    expect(stateBy({ statistic: 'Maximum' })).to.equal('ALARM');
    expect(stateBy({ statistic: 'Minimum' })).to.equal('OK');
    expect(stateBy({ statistic: 'Average' })).to.equal('OK');
    expect(stateBy({ statistic: 'Sum' })).to.equal('ALARM');
    expect(stateBy({ statistic: 'SampleCount', threshold: 1.5 })).to.equal('ALARM');
    expect(stateBy({ statistic: 'SampleCount', threshold: 2.5 })).to.equal('OK');
    expect(stateBy({ statistic: 'Maximum', unit: 'Count' })).to.equal('OK');
  });

  it('says why, in the words of the service', () => {
    const say = (picture: string, members: Partial<AlarmConfiguration> = {}): string => {
      const configuration = { ...CONFIGURATION, ...members };
      const evaluation = evaluateAlarm(configuration, evaluationRange(configuration, NOW_MS), drawn(picture));
      const reason = reasonOf(configuration, evaluation, evaluation.state ?? 'OK', NOW_MS);
      expect(JSON.parse(reason.data)).to.include({ version: '1.0', statistic: 'Maximum', period: 60, threshold: 1 });
      return reason.text;
    };
    expect(say('- - 0 X X', { datapointsToAlarm: 2 })).to.equal(
      'Threshold Crossed: 2 out of the last 3 datapoints [5.0 (21/11/26 12:00:00), 5.0 (21/11/26 11:59:00), 0.0 (21/11/26 11:58:00)] were greater than the threshold (1.0) (minimum 2 datapoints for OK -> ALARM transition).',
    );
    expect(say('- - X X 0')).to.contain('1 out of the last 3 datapoints');
    expect(say('- - X X 0')).to.contain(
      'was not greater than the threshold (1.0) (minimum 1 datapoint for ALARM -> OK transition)',
    );
    expect(say('- - - - -')).to.equal('Insufficient Data: 3 datapoints were unknown.');
    expect(say('- - - - -', { missingData: 'breaching' })).to.equal(
      'Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching].',
    );
  });
});
