import { writeSync } from 'node:fs';
import { Job } from '../../src/token/job.js';
import { OpenToken } from '../../src/token/open_token.js';
import { p384Pair } from './executor_jobs.js';
import { makeFaultyToken } from './faulty_token.js';
import type { SoftwareTokenKind } from './token_directory.js';

// A program: leaves a token in which a pair is being made that takes much longer than it waits, and says how that ended.
const scratch = await makeFaultyToken(process.argv[2] as SoftwareTokenKind);
process.on('exit', () => scratch.dispose());
const token = await OpenToken.open(scratch.module, { token: { label: scratch.label }, userPin: scratch.userPin });
scratch.setFaults('C_GenerateKeyPair 1 delay 60000');
const pair = new Job('make a pair', 'test');
p384Pair(pair);
void token.executor.run(pair);
while (scratch.callCount('C_GenerateKeyPair') === 0) await new Promise((resolve) => setTimeout(resolve, 5));
writeSync(1, await token.close({ patienceMs: 100 }));
process.exitCode = 7;
