import { askAdmin } from '../lab/admin_client.js';
import { readLabReport } from '../lab/lab_report.js';
import { RecordReader } from '../lab/record_reader.js';
import type { LabState, StateDirectory } from '../lab/state_directory.js';
import { readTokenReport } from '../lab/token_report.js';
import { readValidationReports } from '../lab/validation_reports.js';
import { wholeNumber } from '../http_exchange.js';
import type { OperatorAsk } from './console_lab.js';
import { ConsoleError } from './errors.js';
import type { ReplicationWatch } from './replication_watch.js';

interface Operating {
  readonly directory: StateDirectory;
  readonly state: LabState;
  readonly replications: ReplicationWatch;
  readonly ask: OperatorAsk;
}

/**
 * What an operator may ask, by method and path below `/api/operator/`; each answers what the command line shows with `--json`.
 *
 * - `GET status`: `keyferry status`;
 * - `GET replications`: those of which `keyferry trace` knows something, the newest first; `GET replication?id=ID`: one, with all that happened in it;
 * - `GET security?last=N`: `keyferry audit --security`; `GET tokens`: each region's token, {@link TokenReport};
 * - `GET validation`: reports of `keyferry validate` that lie in the lab, {@link ValidationSummary};
 * - `GET clock`, `POST clock` `{"milliseconds"}`, `DELETE clock`: readings of all regions' clocks, by region;
 * - `GET proxy`, `PUT proxy` `{"mode": "honest"}` or `{"mode": "hostile", "drop": 0.1, …}`,
 *   `PUT conduct` `{"hold": […], "next": […]}`: what the proxy says of itself afterwards.
 */
const QUESTIONS: Readonly<Record<string, (operating: Operating) => Promise<unknown>>> = {
  'GET status': async ({ directory, state }) => {
    const { report, problems } = await readLabReport(directory, state);
    return { endpoint: state.endpoint, startedMs: state.startedMs, ...report, problems };
  },
  'GET replications': async ({ replications }) => ({ replications: (await replications.current()).list() }),
  'GET replication': async ({ replications, ask }) => {
    const found = (await replications.current()).find(ask.query.get('id') ?? '');
    if (found !== undefined) return found;
    throw new ConsoleError('ERR_CONSOLE_NOT_FOUND', 'The lab remembers no such replication');
  },
  'GET security': async ({ directory, state, ask }) => {
    const max = wholeNumber(ask.query.get('last'), { min: 1, max: 1_000, absent: 100 });
    if (max === undefined) throw new ConsoleError('ERR_CONSOLE_REQUEST', 'last is a whole number from 1 to 1000');
    const filter = { texts: [], matches: () => true };
    const reader = new RecordReader(directory, { regions: state.regions, kind: 'security', filter });
    const { records, isCut } = await reader.last(max);
    return { records: records.map(({ value, region }) => ({ ...value, region })), isCut };
  },
  'GET tokens': async ({ directory, state }) => ({
    tokens: Object.fromEntries(state.regions.map((name) => [name, readTokenReport(directory, name)])),
  }),
  'GET validation': async ({ directory }) => ({ reports: readValidationReports(directory) }),
  'GET clock': askClocks,
  'POST clock': askClocks,
  'DELETE clock': askClocks,
  'GET proxy': ({ directory }) => askAdmin(directory.adminSocket(), { method: 'GET', path: '/status' }),
  'PUT proxy': ({ directory, ask }) =>
    askAdmin(directory.adminSocket(), { method: 'PUT', path: '/mode', body: ask.body }),
  'PUT conduct': ({ directory, ask }) =>
    askAdmin(directory.adminSocket(), { method: 'PUT', path: '/conduct', body: ask.body }),
};

/** Answers an operator; undefined where there is no such question. */
export async function answerOperator(operating: Operating): Promise<unknown> {
  const question = `${operating.ask.method} ${operating.ask.path}`;
  return Object.hasOwn(QUESTIONS, question) ? QUESTIONS[question]?.(operating) : undefined;
}

/** One region after the other, as `keyferry clock` does. */
async function askClocks({ directory, state, ask }: Operating): Promise<unknown> {
  const method = ask.method === 'POST' || ask.method === 'DELETE' ? ask.method : 'GET';
  const readings: Record<string, unknown> = {};
  for (const region of state.regions) {
    const body = method === 'POST' ? { body: ask.body } : {};
    readings[region] = await askAdmin(directory.adminSocket(region), { method, path: '/clock', ...body });
  }
  return readings;
}
