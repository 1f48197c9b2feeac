import { SEVERITIES, type Severity } from '../../validation/check.js';
import { ValidationError } from '../../validation/errors.js';

/**
 * A severity of findings as an option names it.
 *
 * @throws {@link ValidationError} `ERR_VALIDATION_REQUEST`
 */
export function severityNamed(text: string): Severity {
  const severity = SEVERITIES.find((each) => each === text);
  if (severity !== undefined) return severity;
  throw new ValidationError('ERR_VALIDATION_REQUEST', `there is no severity ${text}`, {
    remedy: `the severities are ${SEVERITIES.join(', ')}`,
  });
}
