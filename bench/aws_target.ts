import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { KeyHsm } from '../src/kms/ports.js';
import { createKey } from '../src/kms/operations/create_key.js';
import { encrypt } from '../src/kms/operations/encrypt.js';
import {
  FIXTURE_CREDENTIAL,
  importsOf,
  makeRegionFixture,
  type FixtureImports,
} from '../test/support/region_fixture.js';
import { makeRegionToken, type RegionToken } from '../test/support/region_token.js';
import { ACCOUNT, ROOT } from '../test/support/software_region.js';
import { BLOB_OCTETS, ConstantHsm, encryptRequest, PLAINTEXT_OCTETS, type LoadedRequest } from './aws_request.js';
import { CLoop } from './c_loop.js';
import { threadCpu, type ThreadCpu } from './thread_cpu.js';

/**
 * What is put under load: a plain `node:http` server that answers a constant; a region whose HSM answers a constant; a region on
 * a software token.
 */
export type AwsTargetKind = 'bare' | 'stub' | 'softhsm2' | 'nss';

/** What a target says when it answers. */
export interface AwsTargetReady {
  readonly url: string;
  readonly credential: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly requests: readonly LoadedRequest[];
}

/** Processor time of a target's process so far, microseconds. */
export interface AwsTargetUsage {
  /** All threads: JavaScript, token, garbage collection, files. */
  readonly process: number;
  readonly threads: ThreadCpu;
}

/** What the parent asks a target. */
export type AwsTargetQuestion =
  | { readonly ask: 'usage' }
  /** Processor time of one job in the C loop, microseconds. */
  | { readonly ask: 'c-loop'; readonly job: string; readonly seconds: number };

const C_LOOP = fileURLToPath(new URL('../../build/c_loop', import.meta.url));

/** A plain server that reads each request and answers the same: what HTTP alone costs. */
function startBare(): Promise<AwsTargetReady> {
  const keyArn = `arn:aws:kms:us-east-1:${ACCOUNT}:key/00000000-0000-0000-0000-000000000000`;
  const answer = JSON.stringify({
    CiphertextBlob: randomBytes(BLOB_OCTETS).toString('base64'),
    KeyId: keyArn,
    EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
  });
  const headers = {
    'x-amzn-RequestId': '00000000-0000-0000-0000-000000000000',
    'Content-Type': 'application/x-amz-json-1.1',
    'Content-Length': Buffer.byteLength(answer),
  };
  const server = createServer((request, response) => {
    request.on('data', () => undefined);
    request.on('end', () => {
      response.writeHead(200, headers);
      response.end(answer);
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () =>
      resolve({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        credential: FIXTURE_CREDENTIAL,
        requests: [encryptRequest(keyArn)],
      }),
    );
  });
}

async function startRegion(hsm: KeyHsm, imports?: FixtureImports): Promise<AwsTargetReady> {
  const fixture = await makeRegionFixture({
    hsm,
    ...(imports !== undefined && { imports }),
    observe: () => undefined,
  });
  const call = { region: fixture.region, caller: { principal: ROOT, account: ACCOUNT } };
  const symmetric = (await createKey(call, {})).KeyMetadata.Arn;
  const signing = (await createKey(call, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })).KeyMetadata.Arn;
  const { CiphertextBlob } = await encrypt(call, { KeyId: symmetric, Plaintext: randomBytes(PLAINTEXT_OCTETS) });
  process.once('disconnect', () => void fixture.close().finally(() => process.exit()));
  const request = (operation: string, members: object): LoadedRequest => ({ operation, body: JSON.stringify(members) });
  const blob = Buffer.from(CiphertextBlob).toString('base64');
  const message = randomBytes(PLAINTEXT_OCTETS).toString('base64');
  return {
    url: fixture.url,
    credential: FIXTURE_CREDENTIAL,
    requests: [
      encryptRequest(symmetric),
      request('Decrypt', { CiphertextBlob: blob, KeyId: symmetric }),
      request('GenerateDataKey', { KeyId: symmetric, KeySpec: 'AES_256' }),
      request('Sign', { KeyId: signing, Message: message, SigningAlgorithm: 'ECDSA_SHA_256' }),
      request('DescribeKey', { KeyId: symmetric }),
    ],
  };
}

async function main(kind: AwsTargetKind): Promise<void> {
  let token: RegionToken | null = null;
  let ready: AwsTargetReady;
  if (kind === 'bare') {
    process.once('disconnect', () => process.exit());
    ready = await startBare();
  } else if (kind === 'stub') {
    ready = await startRegion(new ConstantHsm());
  } else {
    token = await makeRegionToken(kind);
    ready = await startRegion(token.hsm, importsOf(token));
  }
  process.on('message', (question: AwsTargetQuestion) => {
    if (question.ask === 'usage') {
      const { user, system } = process.cpuUsage();
      process.send?.({ process: user + system, threads: threadCpu() } satisfies AwsTargetUsage);
    } else if (token !== null) {
      const { job, seconds } = question;
      void new CLoop(C_LOOP, token.token)
        .run(job, { seconds, threads: 1 })
        .then(({ cpuMicrosecondsPerJob }) => process.send?.(cpuMicrosecondsPerJob));
    }
  });
  process.send?.(ready);
}

await main(process.argv[2] as AwsTargetKind);
