import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { hostileMode, type DeliveryMode } from '../../../src/proxy/delivery_mode.js';
import { ProxyError } from '../../../src/proxy/errors.js';
import { PROXY_LIMITS } from '../../../src/proxy/limits.js';
import { Relay } from '../../../src/proxy/relay.js';
import { ProxyStore } from '../../../src/proxy/store.js';

const text = (octets: Uint8Array): string => Buffer.from(octets).toString('utf8');
const octetsOf = (message: string): Uint8Array => new Uint8Array(Buffer.from(message, 'utf8'));
const never = new AbortController().signal;

describe('Relay', () => {
  let directory: string;
  let path: string;
  let relay: Relay;
  let nowMs: number;
  const open = (): Relay => new Relay(new ProxyStore(path, 'queue-a'), () => nowMs);
  const take = async (
    region: string,
    options: { after?: number; waitMs?: number; signal?: AbortSignal } = {},
  ): Promise<string[]> => {
    const taken = await relay.take(region, { after: 0, messagesMax: 64, waitMs: 0, signal: never, ...options });
    return taken.messages.map(({ octets }) => text(octets));
  };
  const codeOf = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      if (error instanceof ProxyError) return error.code;
      throw error;
    }
    return 'accepted';
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keyferry-relay-'));
    path = join(directory, 'proxy.db');
    nowMs = 1_000_000;
    relay = open();
  });

  afterEach(() => {
    relay.close();
    rmSync(directory, { recursive: true });
  });

  it('hands messages over in the order in which it took them, to their destination only', async () => {
    relay.accept('eu-west-1', octetsOf('one'));
    relay.accept('us-east-1', octetsOf('other'));
    relay.accept('eu-west-1', octetsOf('two'));
    expect(await take('eu-west-1')).to.deep.equal(['one', 'two']);
    expect(await take('us-east-1')).to.deep.equal(['other']);
    expect(await take('ap-south-1')).to.deep.equal([]);
  });

  it('keeps a message until it is acknowledged, and then forgets it', async () => {
    relay.accept('eu-west-1', octetsOf('one'));
    relay.accept('eu-west-1', octetsOf('two'));
    const { messages } = await relay.take('eu-west-1', { after: 0, messagesMax: 1, waitMs: 0, signal: never });
    expect(await take('eu-west-1')).to.deep.equal(['one', 'two']);
    const first = messages[0]?.id ?? 0;
    relay.acknowledge('eu-west-1', [first]);
    relay.acknowledge('eu-west-1', [first]);
    expect(await take('eu-west-1')).to.deep.equal(['two']);
    expect(relay.status().waiting['eu-west-1']).to.deep.equal({ messages: 1, octets: 3 });
  });

  it('does not let one region acknowledge the message of another', async () => {
    relay.accept('eu-west-1', octetsOf('one'));
    relay.acknowledge('us-east-1', [1]);
    expect(await take('eu-west-1')).to.deep.equal(['one']);
  });

  it('has every message and the log still after a restart', async () => {
    relay.accept('eu-west-1', octetsOf('one'));
    relay.close();
    relay = open();
    relay.accept('eu-west-1', octetsOf('two'));
    expect(await take('eu-west-1')).to.deep.equal(['one', 'two']);
    const log = await relay.log({ after: 0, entriesMax: 10, waitMs: 0, signal: never });
    expect(log.map(({ event, messageId }) => [event, messageId])).to.deep.equal([
      ['accepted', 1],
      ['accepted', 2],
    ]);
    expect(relay.status().waiting['eu-west-1']?.messages).to.equal(2);
  });

  it('wakes a waiting receiver as soon as a message comes', async () => {
    const waiting = take('eu-west-1', { waitMs: 10_000 });
    const startedMs = performance.now();
    setTimeout(() => relay.accept('eu-west-1', octetsOf('late')), 20);
    expect(await waiting).to.deep.equal(['late']);
    expect(performance.now() - startedMs).to.be.lessThan(2_000);
  });

  it('lets a receiver go when its wait is over or it has gone', async () => {
    expect(await take('eu-west-1', { waitMs: 10 })).to.deep.equal([]);
    const gone = new AbortController();
    const waiting = take('eu-west-1', { waitMs: 10_000, signal: gone.signal });
    gone.abort();
    expect(await waiting).to.deep.equal([]);
  });

  it('refuses a message that is too large, an empty one and a name that is none', () => {
    const largest = new Uint8Array(PROXY_LIMITS.messageOctetsMax);
    expect(codeOf(() => relay.accept('eu-west-1', largest))).to.equal('accepted');
    expect(codeOf(() => relay.accept('eu-west-1', new Uint8Array(largest.length + 1)))).to.equal('ERR_PROXY_TOO_LARGE');
    expect(codeOf(() => relay.accept('eu-west-1', new Uint8Array(0)))).to.equal('ERR_PROXY_SYNTAX');
    for (const name of ['', 'Eu-west-1', 'a/b', 'eu west', 'e'.repeat(33), 'eu-west-1\n']) {
      expect(
        codeOf(() => relay.accept(name, octetsOf('x'))),
        name,
      ).to.equal('ERR_PROXY_SYNTAX');
    }
  });

  it('refuses more than a destination may have waiting, and takes messages again after an acknowledgement', async () => {
    const large = new Uint8Array(PROXY_LIMITS.messageOctetsMax);
    const fitting = PROXY_LIMITS.queueOctetsMax / PROXY_LIMITS.messageOctetsMax;
    for (let count = 0; count < fitting; count += 1) relay.accept('eu-west-1', large);
    expect(codeOf(() => relay.accept('eu-west-1', octetsOf('x')))).to.equal('ERR_PROXY_QUEUE_FULL');
    expect(codeOf(() => relay.accept('us-east-1', octetsOf('x')))).to.equal('accepted');
    relay.acknowledge('eu-west-1', [1]);
    expect(codeOf(() => relay.accept('eu-west-1', octetsOf('x')))).to.equal('accepted');
  }).timeout(10_000);

  it('refuses more destinations than it may serve', () => {
    for (let count = 0; count < PROXY_LIMITS.destinationsMax; count += 1)
      relay.accept(`region-${count}`, octetsOf('x'));
    expect(codeOf(() => relay.accept('one-more', octetsOf('x')))).to.equal('ERR_PROXY_DESTINATIONS');
    expect(codeOf(() => relay.accept('region-0', octetsOf('x')))).to.equal('accepted');
  });

  it('bounds what one answer carries, and goes on behind the last message that the receiver has seen', async () => {
    const large = new Uint8Array(PROXY_LIMITS.messageOctetsMax);
    for (let count = 0; count < 20; count += 1) relay.accept('eu-west-1', large);
    const first = await relay.take('eu-west-1', { after: 0, messagesMax: 64, waitMs: 0, signal: never });
    expect(first.messages).to.have.length(16);
    const rest = await relay.take('eu-west-1', { after: 16, messagesMax: 64, waitMs: 0, signal: never });
    expect(rest.messages.map(({ id }) => id)).to.deep.equal([17, 18, 19, 20]);
  });

  describe('with a hostile mode', () => {
    const events = async (): Promise<string[]> =>
      (await relay.log({ after: 0, entriesMax: 100, waitMs: 0, signal: never })).map(({ event }) => event);

    it('loses, repeats and alters messages as the mode says, and logs what it did', async () => {
      const mode: DeliveryMode = ({ messageId, destination, octets }) => {
        const whole = { delayMs: 0, destination, octets };
        if (messageId === 1) return [];
        if (messageId === 2) return [whole, whole];
        return [{ ...whole, octets: octetsOf('forged') }];
      };
      relay.setMode(mode, 'three tricks');
      for (const message of ['lost', 'twice', 'altered']) relay.accept('eu-west-1', octetsOf(message));
      expect(await take('eu-west-1')).to.deep.equal(['twice', 'twice', 'forged']);
      expect(await events()).to.deep.equal(['mode', 'accepted', 'lost', 'accepted', 'repeated', 'accepted', 'altered']);
      expect(relay.status().mode).to.equal('three tricks');
    });

    it('holds a delayed message back until it is due, over a restart, and lets others overtake it', async () => {
      relay.setMode(
        ({ messageId, destination, octets }) => [{ delayMs: messageId === 1 ? 60_000 : 0, destination, octets }],
        'late',
      );
      relay.accept('eu-west-1', octetsOf('slow'));
      relay.accept('eu-west-1', octetsOf('fast'));
      expect(await take('eu-west-1')).to.deep.equal(['fast']);
      relay.close();
      nowMs += 60_000;
      relay = open();
      expect(await take('eu-west-1', { after: 1, waitMs: 1_000 })).to.deep.equal(['slow']);
    });

    it('does the same things again for the same seed, and other things for another', () => {
      const run = (seed: number): string[] => {
        const mode = hostileMode({
          seed,
          drop: 0.2,
          duplicate: 0.2,
          tamper: 0.2,
          reorder: 0.2,
          replay: 0.2,
          delayMsMax: 50,
        });
        return Array.from({ length: 200 }, (_, index) =>
          mode({ messageId: index, destination: 'eu-west-1', octets: octetsOf(`message ${index}`) })
            .map(({ delayMs, octets }) => `${delayMs} ${text(octets)}`)
            .join('|'),
        );
      };
      expect(run(7)).to.deep.equal(run(7));
      expect(run(7)).to.not.deep.equal(run(8));
      expect(run(7).filter((deliveries) => deliveries === '')).to.have.length.within(10, 70);
    });
  });
});
