import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseConduct } from '../../../src/proxy/conduct.js';
import { ProxyError } from '../../../src/proxy/errors.js';
import { Relay } from '../../../src/proxy/relay.js';
import { ProxyStore } from '../../../src/proxy/store.js';

const never = new AbortController().signal;

describe('a proxy that is steered by hand', () => {
  let directory: string;
  let relay: Relay;
  const open = (): Relay => new Relay(new ProxyStore(join(directory, 'proxy.db'), 'queue-a'), () => 1_000_000);
  const send = (destination: string, ...messages: readonly string[]): void => {
    for (const message of messages) relay.accept(destination, new Uint8Array(Buffer.from(message)));
  };
  const take = async (region: string): Promise<string[]> => {
    const taken = await relay.take(region, { after: 0, messagesMax: 64, waitMs: 0, signal: never });
    return taken.messages.map(({ octets }) => Buffer.from(octets).toString());
  };
  const events = async (): Promise<string[]> => {
    const entries = await relay.log({ after: 0, entriesMax: 256, waitMs: 0, signal: never });
    return entries.filter(({ event }) => event !== 'accepted').map(({ event, detail }) => `${event} ${detail ?? ''}`);
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keyferry-conduct-'));
    relay = open();
  });

  afterEach(() => {
    relay.close();
    rmSync(directory, { recursive: true });
  });

  it('does what was ordered to the next message of that destination, once, and says so in the log', async () => {
    relay.setConduct({ hold: [], next: [{ action: 'drop', destination: 'eu-west-1' }] });
    send('us-east-1', 'one');
    send('eu-west-1', 'two', 'three');
    expect([await take('us-east-1'), await take('eu-west-1')]).to.deep.equal([['one'], ['three']]);
    relay.setConduct({ hold: [], next: [{ action: 'duplicate', destination: null }] });
    send('us-east-1', 'four', 'five');
    expect(await take('us-east-1')).to.deep.equal(['one', 'four', 'four', 'five']);
    const said = (await events()).filter((text) => !text.startsWith('conduct'));
    expect(said).to.deep.equal(['lost next: drop', 'repeated next: duplicate']);
    expect(relay.status().conduct).to.deep.equal({ hold: [], next: [] });
  });

  it('changes one letter of a message and leaves its length', async () => {
    relay.setConduct({ hold: [], next: [{ action: 'tamper', destination: null }] });
    send('eu-west-1', 'abcdef.ghijkl', 'next');
    const [altered = '', ...others] = await take('eu-west-1');
    expect(others).to.deep.equal(['next']);
    expect(altered)
      .to.have.lengthOf(13)
      .and.match(/^[a-z.]+$/u);
    expect([...altered].filter((letter, at) => letter !== 'abcdef.ghijkl'[at])).to.have.lengthOf(1);
  });

  it('lets a message be overtaken by the next one to the same destination', async () => {
    relay.setConduct({ hold: [], next: [{ action: 'reorder', destination: 'eu-west-1' }] });
    send('eu-west-1', 'one');
    send('us-east-1', 'other');
    expect(await take('eu-west-1')).to.deep.equal([]);
    send('eu-west-1', 'two');
    expect(await take('eu-west-1')).to.deep.equal(['two', 'one']);
    expect(relay.status().held).to.deep.equal({});
  });

  it('lets a message that nothing overtakes go where everything is to pass, and not before', async () => {
    relay.setConduct({ hold: [], next: [{ action: 'reorder', destination: 'eu-west-1' }] });
    send('eu-west-1', 'one');
    relay.setConduct({ hold: [], next: [{ action: 'drop', destination: 'us-east-1' }] });
    expect(await take('eu-west-1')).to.deep.equal([]);
    relay.setConduct({ hold: [], next: [] });
    expect(await take('eu-west-1')).to.deep.equal(['one']);
  });

  it('holds what goes to a region until it is let go, in its order, and counts it', async () => {
    relay.setConduct({ hold: ['eu-west-1'], next: [] });
    send('eu-west-1', 'one', 'two');
    send('us-east-1', 'other');
    expect([await take('eu-west-1'), await take('us-east-1')]).to.deep.equal([[], ['other']]);
    expect(relay.status().held).to.deep.equal({ 'eu-west-1': 2 });
    relay.setConduct({ hold: [], next: [] });
    expect(await take('eu-west-1')).to.deep.equal(['one', 'two']);
    expect((await events()).filter((text) => /^(?:held|released)/u.test(text))).to.deep.equal([
      'held hold',
      'held hold',
      'released ',
      'released ',
    ]);
  });

  it('lets everything go when it starts again: nobody remembers what was held', async () => {
    relay.setConduct({ hold: ['eu-west-1'], next: [] });
    send('eu-west-1', 'one');
    relay.close();
    relay = open();
    expect(await take('eu-west-1')).to.deep.equal(['one']);
  });

  it('refuses a conduct that it does not know', () => {
    for (const wrong of [
      { stop: true },
      { hold: 'eu-west-1' },
      { hold: ['EU'] },
      { next: [null] },
      { next: [{ action: 'explode' }] },
      { next: [{ action: 'drop', count: 2 }] },
      { next: [{ action: 'drop', destination: 5 }] },
      { next: Array.from({ length: 65 }, () => ({ action: 'drop' })) },
    ]) {
      expect(() => parseConduct(wrong), JSON.stringify(wrong)).to.throw(ProxyError);
    }
    expect(parseConduct({ next: [{ action: 'drop' }] })).to.deep.equal({
      hold: [],
      next: [{ action: 'drop', destination: null }],
    });
  });
});
