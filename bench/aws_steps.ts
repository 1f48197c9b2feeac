import { AuditTrail } from '../src/audit/audit_trail.js';
import { createKey } from '../src/kms/operations/create_key.js';
import type { Call, CallNote } from '../src/kms/region.js';
import { encodeAnswer } from '../src/surfaces/aws/encode.js';
import { OPERATIONS } from '../src/surfaces/aws/operations.js';
import { readHeaders } from '../src/surfaces/aws/request_headers.js';
import { SignatureVerifier } from '../src/surfaces/aws/sigv4.js';
import { makeRegionFixture } from '../test/support/region_fixture.js';
import { ACCOUNT, ROOT } from '../test/support/software_region.js';
import { AwsSigner } from './aws_signer.js';
import { ConstantHsm, encryptRequest } from './aws_request.js';

/** One step of answering an Encrypt of 32 octets. */
export interface AwsStep {
  readonly step: string;
  /** Processor time of it, the least of several rounds: code that is compiled, in caches that nothing else wants. */
  readonly microseconds: number;
}

const ROUNDS = 7;
const WARM_UP = 3000;
const recordedAtOnce = Promise.resolve();

/** Measures what the event loop does for one Encrypt, step by step, in this process and without HTTP. */
export async function measureAwsSteps(times = 20_000): Promise<readonly AwsStep[]> {
  const fixture = await makeRegionFixture({ hsm: new ConstantHsm(), observe: () => undefined });
  const { region } = fixture;
  const notes: CallNote[] = [];
  const call: Call = {
    region,
    caller: { principal: ROOT, account: ACCOUNT },
    sourceAddress: '127.0.0.1',
    isEncrypted: false,
    note: (note) => notes.push(note),
  };
  const { KeyMetadata } = await createKey(call, {});
  const body = Buffer.from(encryptRequest(KeyMetadata.Arn).body);
  const credential = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', principal: ROOT };
  const signer = new AwsSigner({ host: '127.0.0.1:4599', region: 'us-east-1', credential });
  const raw = Object.entries(signer.sign('Encrypt', body.toString())).flatMap(([name, value]) => [name, String(value)]);
  const headers = readHeaders(raw);
  const verifier = new SignatureVerifier({
    region: 'us-east-1',
    services: ['kms'],
    credentials: [credential],
    nowMs: Date.now,
  });
  const decode = OPERATIONS.get('Encrypt');
  if (decode === undefined) throw new Error('there is no Encrypt');
  const decoded = decode(body);
  const result = await decoded.run(call);
  const callNotes = notes.slice(-2);
  const trail = new AuditTrail({
    home: region.home,
    clock: region.clock,
    clockOffsetMs: () => 0,
    sink: {
      append: () => recordedAtOnce,
    },
  });
  const recorded = {
    requestId: '00000000-0000-0000-0000-000000000000',
    eventId: '00000000-0000-0000-0000-000000000000',
    operation: 'Encrypt',
    principal: ROOT,
    accessKeyId: credential.accessKeyId,
    sourceAddress: '127.0.0.1',
    userAgent: 'aws-sdk-js/3',
    request: decoded.request,
    response: result,
    failure: null,
    notes: callNotes,
  };
  await trail.recordCall(recorded);
  const steps: readonly (readonly [string, () => unknown])[] = [
    ['read the headers', () => readHeaders(raw)],
    ['verify the signature', () => verifier.verify({ method: 'POST', target: '/', headers, body })],
    ['decode and check the request', () => decode(body)],
    [
      'find the key, authorise, run with an HSM that costs nothing',
      () => {
        notes.length = 0;
        return decoded.run(call);
      },
    ],
    ['encode the answer', () => encodeAnswer('Encrypt', result)],
    ['write the event of the audit trail', () => trail.recordCall(recorded)],
  ];
  const measured: AwsStep[] = [];
  for (const [step, work] of steps) measured.push({ step, microseconds: await leastCpu(work, times) });
  await fixture.close();
  return measured;
}

async function leastCpu(work: () => unknown, times: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let time = 0; time < WARM_UP; time += 1) await work();
    const before = process.cpuUsage();
    for (let time = 0; time < times; time += 1) await work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / times);
  }
  return least;
}
