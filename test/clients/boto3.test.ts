import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { clientLab, DOORS, GUEST } from './client_lab.js';
import { onlyWithFurtherClients, pythonPackages } from './python_packages.js';

const SCRIPT = fileURLToPath(new URL('../../../test/clients/kms_boto3.py', import.meta.url));

/** The sentences of the script's steps, in its order. */
const STEPS = [
  'makes, names, tags, disables, enables and deletes keys',
  'encrypts, decrypts, re-encrypts and makes data keys and pairs',
  'makes signatures and MACs, and opens what OpenSSL seals',
  'lets others use keys by key policies and grants, and no longer',
  'rotates keys, and decrypts what was encrypted before',
  'replicates a key, decrypts in the other region, and makes its replica the primary',
  'imports key material that OpenSSL wrapped, and deletes it',
  'reads lists to their ends, one item a page',
];

/** What became of a step. */
interface Outcome {
  readonly step: string;
  readonly error: string | null;
}

const versions = pythonPackages('boto3');

if (versions.length === 0) {
  it('boto3 uses a lab of two regions', function () {
    Object.assign(this.test ?? {}, { skipReason: 'boto3 is missing: apt-get install python3-boto3' });
    this.skip();
  });
}

for (const { version, python } of versions) {
  DOORS.forEach((door, index) => {
    const [home, other] = index === 0 ? (['us-east-1', 'eu-west-1'] as const) : (['eu-west-1', 'us-east-1'] as const);
    const isFurther = version !== versions[0]?.version;
    if (isFurther && index > 0) return;

    describe(`boto3 ${version} in ${home}, with ${door}`, function () {
      this.timeout(120_000);
      let outcomes: readonly Outcome[];

      before(async function () {
        if (isFurther) onlyWithFurtherClients(this);
        const lab = await clientLab();
        const child = spawn(python, [SCRIPT], {
          stdio: ['pipe', 'pipe', 'inherit'],
          env: { PATH: process.env['PATH'], HOME: lab.home, AWS_EC2_METADATA_DISABLED: 'true', PYTHONUTF8: '1' },
        });
        const urls = Object.fromEntries([home, other].map((region) => [region, lab.url(region, door)]));
        child.stdin.end(JSON.stringify({ home, other, urls, root: lab.accessKey, guest: GUEST, directory: lab.home }));
        let output = '';
        child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
        await once(child, 'close');
        outcomes = output
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Outcome);
      });

      for (const step of STEPS) {
        it(step, () => {
          const outcome = outcomes.find((found) => found.step === step);
          expect(outcome, 'the script did not come to this step').to.not.equal(undefined);
          if (outcome?.error !== null) expect.fail(outcome?.error);
        });
      }

      it('comes to the end of its script', () => {
        expect(outcomes.map(({ step }) => step)).to.deep.equal(STEPS);
      });
    });
  });
}
