import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { COMPARISONS, EXPIRY_METRIC, MISSING_DATA } from '../alarms.js';
import { ActionDialog } from '../components/action_dialog.js';
import { Facts } from '../components/facts.js';
import { Radios, SelectField, TextField } from '../components/form.js';
import { Notice } from '../components/notice.js';
import { durationText, timeText } from '../components/time.js';
import type { KeyMetadata } from '../kms.js';

const DAY_SECONDS = 86_400;
const PROPOSED_DAYS = '30';
const STATISTICS = ['Minimum', 'Maximum', 'Average', 'Sum', 'SampleCount'] as const;
const PERIODS: Readonly<Record<string, string>> = {
  60: '1 minute',
  300: '5 minutes',
  900: '15 minutes',
  3600: '1 hour',
  21600: '6 hours',
  86400: '1 day',
};

/** The fields of an alarm with a static threshold, as the AWS documentation proposes them for expiring material. */
const FIELDS = {
  Statistic: 'Minimum',
  Period: '60',
  ComparisonOperator: 'GreaterThanThreshold',
  Threshold: '1',
  TreatMissingData: 'missing',
};

/** Makes an alarm on the time that is left to a key's imported material: in days, or with CloudWatch's own fields. */
export function ExpiryAlarmDialog(props: {
  readonly region: string;
  readonly keyMetadata: KeyMetadata;
  readonly onDone: () => void;
  readonly onClose: () => void;
}): JSX.Element {
  const { region, keyMetadata, onDone, onClose } = props;
  const { KeyId, ValidTo } = keyMetadata;
  const [form, setForm] = useState('days');
  const [name, setName] = useState(`expiry-${KeyId}`);
  const [days, setDays] = useState(PROPOSED_DAYS);
  const [action, setAction] = useState('');
  const [fields, setFields] = useState(FIELDS);
  const isShort = form === 'days';
  const daysProblem = isShort ? problemOf(days, (value) => value > 0, 'Days are a number above 0.') : '';
  const thresholdProblem = isShort ? '' : problemOf(fields.Threshold, () => true, 'The threshold is a number.');
  const isDisabled = name.trim() === '' || daysProblem !== '' || thresholdProblem !== '';
  const condition = isShort
    ? {
        Statistic: 'Minimum',
        Period: 60,
        ComparisonOperator: 'LessThanThreshold',
        Threshold: Number(days) * DAY_SECONDS,
      }
    : { ...fields, Period: Number(fields.Period), Threshold: Number(fields.Threshold) };
  const input = {
    AlarmName: name.trim(),
    ...EXPIRY_METRIC,
    Dimensions: [{ Name: 'KeyId', Value: KeyId }],
    ...condition,
    EvaluationPeriods: 1,
    ...(action.trim() !== '' && { AlarmActions: [action.trim()] }),
  };
  return (
    <ActionDialog
      title="Create an expiry alarm"
      confirm="Create alarm"
      calls={isDisabled ? [] : [{ region, service: 'cloudwatch', operation: 'PutMetricAlarm', input }]}
      done={`Created the alarm ${input.AlarmName}`}
      onDone={onDone}
      onClose={onClose}
      isDisabled={isDisabled}
    >
      {ValidTo === undefined && (
        <Notice tone="attention">
          <p>
            The key has no material that expires now: the alarm has insufficient data until material is imported with an
            expiration date.
          </p>
        </Notice>
      )}
      <TextField
        label="Alarm name"
        hint="An alarm of that name gets the new configuration."
        value={name}
        onInput={setName}
        error={name.trim() === '' ? 'An alarm has a name.' : undefined}
        isRequired
      />
      <Radios
        label="When it warns"
        value={form}
        onInput={setForm}
        choices={[
          { value: 'days', label: 'Fewer than a number of days are left' },
          { value: 'fields', label: 'With the fields of a CloudWatch alarm' },
        ]}
      />
      {isShort ? (
        <TextField
          label="Days"
          type="number"
          value={days}
          onInput={setDays}
          error={daysProblem}
          hint={warnsAt(ValidTo, Number(days))}
          isRequired
        />
      ) : (
        <ConditionFields
          keyId={KeyId}
          fields={fields}
          error={thresholdProblem}
          onFields={(part) => setFields({ ...fields, ...part })}
        />
      )}
      <TextField
        label="Notify"
        hint="ARN of an SNS topic that the lab file maps to a URL, or a URL of this machine: it is told when the alarm is raised."
        value={action}
        onInput={setAction}
      />
    </ActionDialog>
  );
}

function ConditionFields(props: {
  readonly keyId: string;
  readonly fields: typeof FIELDS;
  readonly error: string;
  readonly onFields: (part: Partial<typeof FIELDS>) => void;
}): JSX.Element {
  const { keyId, fields, error, onFields } = props;
  const seconds = Number(fields.Threshold);
  return (
    <>
      <Facts
        facts={[
          ['Metric', `KMS, Per-Key Metrics: ${EXPIRY_METRIC.MetricName}`],
          ['KeyId', <code key="id">{keyId}</code>],
          ['Threshold type', 'Static'],
        ]}
      />
      <div class="side-by-side">
        <SelectField
          label="Statistic"
          value={fields.Statistic}
          onInput={(Statistic) => onFields({ Statistic })}
          choices={STATISTICS.map((value) => ({ value, label: value }))}
          isRequired
        />
        <SelectField
          label="Period"
          value={fields.Period}
          onInput={(Period) => onFields({ Period })}
          choices={Object.entries(PERIODS).map(([value, label]) => ({ value, label }))}
          isRequired
        />
      </div>
      <div class="side-by-side">
        <SelectField
          label={`Whenever ${EXPIRY_METRIC.MetricName} is`}
          value={fields.ComparisonOperator}
          onInput={(ComparisonOperator) => onFields({ ComparisonOperator })}
          choices={Object.entries(COMPARISONS).map(([value, { words, sign }]) => ({
            value,
            label: `${words} (${sign})`,
          }))}
          isRequired
        />
        <TextField
          label="than, in seconds"
          type="number"
          value={fields.Threshold}
          onInput={(Threshold) => onFields({ Threshold })}
          error={error}
          hint={seconds >= 60 ? durationText(seconds * 1000) : 'A day has 86,400.'}
          isRequired
        />
      </div>
      <SelectField
        label="Missing data"
        value={fields.TreatMissingData}
        onInput={(TreatMissingData) => onFields({ TreatMissingData })}
        choices={Object.entries(MISSING_DATA).map(([value, label]) => ({ value, label }))}
        isRequired
      />
    </>
  );
}

function problemOf(text: string, isGood: (value: number) => boolean, problem: string): string {
  const value = Number(text);
  return text.trim() !== '' && Number.isFinite(value) && isGood(value) ? '' : problem;
}

function warnsAt(validTo: number | undefined, days: number): string {
  if (validTo === undefined || !Number.isFinite(days)) return 'before the material expires';
  return `before the material expires: at ${timeText((validTo - days * DAY_SECONDS) * 1000)}`;
}
