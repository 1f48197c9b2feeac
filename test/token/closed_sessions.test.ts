import { expect } from 'chai';
import { CKA_CLASS, CKA_TOKEN, CKO_SECRET_KEY } from '../../src/token/cryptoki.js';
import { TokenError } from '../../src/token/errors.js';
import { Job } from '../../src/token/job.js';
import { OpenToken } from '../../src/token/open_token.js';
import { template } from '../../src/token/template.js';
import { makeTokenKey } from '../support/executor_jobs.js';
import { makeFaultyToken, type FaultyToken } from '../support/faulty_token.js';
import { tokenKinds } from '../support/token_directory.js';

/** A search, the loss of its session, the login and the sessions opened anew take fewer calls. */
const CALLS = 16;

for (const kind of tokenKinds()) {
  describe(`a ${kind} whose sessions are closed between two calls`, function () {
    this.timeout(60_000);
    let scratch: FaultyToken;
    let token: OpenToken;

    before(async () => {
      scratch = await makeFaultyToken(kind);
      token = await OpenToken.open(scratch.module, {
        token: { label: scratch.label },
        userPin: scratch.userPin,
        executor: { recoverBackoffMs: 5 },
      });
      await makeTokenKey(token.executor);
    });
    after(async () => {
      scratch.setFaults();
      await token.close();
      scratch.dispose();
    });

    /** How many keys were found; null where the sessions were lost. */
    const search = async (): Promise<number | null> => {
      const job = new Job('find', 'test');
      const found = job.findObjects(template([CKA_CLASS, CKO_SECRET_KEY], [CKA_TOKEN, true]), 10);
      try {
        return (await token.executor.run(job)).handles(found).length;
      } catch (error) {
        if (error instanceof TokenError && error.retryable) return null;
        throw error;
      }
    };

    it('finds its private keys or says that its sessions are lost, whichever call it was', async () => {
      let losses = 0;
      for (let nth = 1; nth <= CALLS; nth += 1) {
        // Once under the search, and once more while everything is opened anew.
        for (const rules of [[`* ${nth} close-sessions`], ['* 1 close-sessions', `* ${1 + nth} close-sessions`]]) {
          scratch.setFaults(...rules);
          for (let answers = 0; answers < 3;) {
            const found = await search();
            if (found === null) losses += 1;
            else answers += 1;
            expect(found, rules.join(', ')).to.be.oneOf([null, 1]);
          }
        }
      }
      expect(losses).to.be.least(CALLS);
    });
  });
}
