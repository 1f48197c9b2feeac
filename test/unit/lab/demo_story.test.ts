import { expect } from 'chai';
import { DemoStory } from '../../../src/lab/demo_story.js';
import { replicationScript } from '../../../src/lab/demo_script.js';
import { LabError } from '../../../src/lab/errors.js';
import type { TraceEntry } from '../../../src/lab/trace_reader.js';
import type { TokenStep } from '../../../src/replication/trace.js';

const SOURCE = 'us-east-1';
const DESTINATION = 'eu-west-1';

function token(region: string, step: TokenStep, outcome = 'ok'): TraceEntry {
  const event = {
    kind: 'token',
    atMs: 0,
    step,
    sid: null,
    strategy: null,
    mechanism: 'CKM_X',
    microseconds: 1500,
  } as const;
  return { where: 'region', offsetMs: 0, atMs: 0, region, event: { ...event, outcome } };
}

function session(region: string, state: string, code: string | null = null): TraceEntry {
  const event = { kind: 'session', atMs: 0, role: 'source', sid: 's', intent: 'i', peer: 'p', keyIds: [] } as const;
  return { where: 'region', offsetMs: 0, atMs: 0, region, event: { ...event, state, code } };
}

function crossed(label: string, verification = 'ok'): TraceEntry {
  const message = {
    label,
    issuer: SOURCE,
    destination: DESTINATION,
    sid: null,
    messageId: label,
    prev: null,
    keyIds: [],
    kid: 'k'.repeat(64),
    typ: null,
    signer: null,
    octets: 1000,
    verification,
    message: null,
    payload: null,
  };
  return { where: 'proxy', atMs: 0, event: 'accepted', number: 1, detail: null, message };
}

const closed: TraceEntry = {
  where: 'region',
  offsetMs: 0,
  atMs: 0,
  region: DESTINATION,
  event: {
    kind: 'received',
    atMs: 0,
    label: 'M4',
    peer: SOURCE,
    sid: null,
    keyIds: [],
    kid: null,
    octets: 1,
    messageId: null,
    payload: null,
    verification: 'ok',
  },
};

/** A whole replication, by where its events come from. */
const places: readonly (readonly TraceEntry[])[] = [
  [
    token(SOURCE, 'sign'),
    token(SOURCE, 'generateAgreementKey'),
    token(SOURCE, 'agree'),
    token(SOURCE, 'wrap'),
    token(SOURCE, 'sign'),
    session(SOURCE, 'DONE'),
  ],
  ['M0', 'M1', 'M2', 'M3', 'M4'].map((label) => crossed(label)),
  [
    token(DESTINATION, 'generateAgreementKey'),
    token(DESTINATION, 'sign'),
    token(DESTINATION, 'agree'),
    token(DESTINATION, 'unwrap'),
    token(DESTINATION, 'sign'),
    session(DESTINATION, 'INSTALLED'),
    closed,
  ],
];

function listen(): { readonly story: DemoStory; readonly told: string[] } {
  const told: string[] = [];
  const story = new DemoStory(replicationScript(SOURCE, DESTINATION), {
    title: (text) => told.push(text),
    fact: ({ about }) => told.push(about),
  });
  return { story, told };
}

/** Takes one entry after the other from the places in the order that `pick` says. */
function shuffled(pick: (round: number) => number): readonly TraceEntry[] {
  const rest = places.map((place) => [...place]);
  const all: TraceEntry[] = [];
  for (let round = 0; rest.some((place) => place.length > 0); round += 1) {
    const found = rest[pick(round) % rest.length]?.shift();
    if (found !== undefined) all.push(found);
  }
  return all;
}

describe('the story of a replication', () => {
  it('is told in the order of the protocol, however the events of the three programs arrive', async () => {
    const expected = listen();
    expected.story.take(shuffled((round) => round));
    await expected.story.over;
    expect(expected.told.filter((text) => text.startsWith('Step'))).to.have.length(5);
    for (const pick of [() => 0, () => 1, () => 2].map(
      (first) => (round: number) => (round < 9 ? first() : 2 - (round % 3)),
    )) {
      const { story, told } = listen();
      for (const entry of shuffled(pick)) story.take([entry]);
      await story.over;
      expect(told).to.deep.equal(expected.told);
    }
  });

  it('tells each step when its event arrives, and nothing of what has not happened', () => {
    const { story, told } = listen();
    story.take([token(SOURCE, 'sign')]);
    expect(told).to.have.length(2);
    story.take([crossed('M1')]);
    expect(told).to.have.length(2);
    expect(story.missing).to.equal('no M0 crossed the proxy');
    story.take([crossed('M0')]);
    expect(told.at(-1)).to.equal('M0 us-east-1 → eu-west-1');
  });

  it('ends with the first step that failed in a token, message that does not verify, or session that was given up', () => {
    const failures: readonly [TraceEntry, RegExp][] = [
      [token(SOURCE, 'wrap', 'ERR_HSM_MECHANISM'), /token of us-east-1 failed to wrap: ERR_HSM_MECHANISM/u],
      [crossed('M2', 'SIGNATURE: it is wrong'), /M2 of us-east-1 does not verify: SIGNATURE/u],
      [session(DESTINATION, 'ABORTED', 'UNWRAP'), /session in eu-west-1 is ABORTED: UNWRAP/u],
    ];
    for (const [entry, message] of failures) {
      expect(() => listen().story.take([entry])).to.throw(LabError, message);
    }
  });
});
