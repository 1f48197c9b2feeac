import { createHash, randomBytes } from 'node:crypto';
import { toBase64Url } from '../bytes.js';
import type { StoredMaterial } from '../hsm/material.js';
import { parseJws, type UnverifiedJws } from '../wire/jws.js';
import { destinationConfirmationInput, sourceConfirmationInput, transcriptHash2 } from '../wire/fixed_info.js';
import { refusalOfPoint } from '../wire/p384.js';
import { accepted, isReject, refuse, refusing, type Reject } from '../wire/refusal.js';
import { chooseSuite, stricterFloor, type ReplicationSuite } from '../wire/suite.js';
import { agree, agreementContext, transferBlobsHash } from './agreement.js';
import type { SealedMessage } from './channel.js';
import type { SourceSession } from './journal.js';
import type { Bodies, MessageOf } from './message.js';
import type { AgreementKey, SessionKeys } from './replication_hsm.js';
import type { RosterBook } from './roster_book.js';
import type { Services } from './services.js';

/** Octets of the random label by which RAKA is found again in the token: a name, which no other object has, and no secret. */
const LABEL_OCTETS = 32;

/** The weakest suite that two regions may use with one another: the stricter of their floors. */
export function sessionFloor(book: RosterBook, epoch: bigint, a: string, b: string): ReplicationSuite | undefined {
  const floorA = book.region(a, epoch)?.suiteFloor;
  const floorB = book.region(b, epoch)?.suiteFloor;
  return floorA === undefined || floorB === undefined ? undefined : stricterFloor(floorA, floorB);
}

/** M0 as this region sent it. */
function ownIntent(row: SourceSession): UnverifiedJws | undefined {
  const jws = row.message === null ? undefined : parseJws(row.message);
  return jws === undefined || isReject(jws) ? undefined : jws;
}

/**
 * Checks an offer against the session that it answers, before the token is asked for anything.
 *
 * @returns the suite, or a refusal `EPOCH`, `CONTEXT`, `POINT`, `FLOOR`
 */
export function checkOffer(
  services: Services,
  row: SourceSession,
  offer: MessageOf<'offer'>,
): ReplicationSuite | Reject {
  return refusing(() => {
    const { body, envelope } = offer;
    if (envelope.epoch !== row.epoch) refuse('EPOCH', 'epoch', 'Another roster epoch than the session.');
    const same =
      body.keys.length === row.keys.length &&
      body.keys.every(
        (key, index) => key.keyId === row.keys[index]?.keyId && key.generation === row.keys[index]?.generation,
      );
    if (!same) refuse('CONTEXT', 'keys', 'The offer is for other keys than were announced.');
    const refusal = refusalOfPoint(body.point, 'rakb.pt');
    if (refusal !== null) refuse(refusal.code, refusal.field, refusal.detail);
    const floor = sessionFloor(services.book, row.epoch, services.region, row.destination);
    if (floor === undefined) return refuse('EPOCH', 'epoch', 'A region is not in the roster of the session.');
    return accepted(chooseSuite(services.hsm(null).suites, body.suites, floor));
  });
}

/** The materials that were announced, in that order, or undefined where the key no longer has one of them. */
function announcedMaterials(
  services: Services,
  row: SourceSession,
): readonly (readonly StoredMaterial[])[] | undefined {
  const all: (readonly StoredMaterial[])[] = [];
  for (const key of row.keys) {
    const exportable = services.keys.exportable(key.keyId, row.destination);
    const held = exportable?.materials ?? [];
    if (exportable?.context.origin === 'EXTERNAL') {
      all.push([]);
      continue;
    }
    const materials = key.materialIds.flatMap(
      (id) => held.find((material) => material.binding.materialId === id) ?? [],
    );
    if (materials.length !== key.materialIds.length) return undefined;
    all.push(materials);
  }
  return all;
}

/** What an export leaves behind: M2, and the confirmation that only the right destination can send. */
export interface Exported {
  readonly sealed: SealedMessage;
  /** SHA-384 of the expected key confirmation, base64url. */
  readonly confirmationHash: string;
  /** RAKA's point, base64url. */
  readonly point: string;
}

/**
 * Steps 2 and 3: makes RAKA, derives RWK and KCK, wraps every material, destroys what was ephemeral, and signs M2.
 * Nothing has left and nothing is recorded when this returns.
 *
 * @throws `HsmError`; a refusal `CONTEXT` as a value
 * @source docs/PROTOCOL.md section 5
 */
export async function exportKeys(
  services: Services,
  row: SourceSession,
  offer: MessageOf<'offer'>,
  offerJws: UnverifiedJws,
  suite: ReplicationSuite,
): Promise<Exported | Reject> {
  const sid = offer.envelope.sid ?? '';
  const hsm = services.hsm(sid);
  const intent = ownIntent(row);
  const materials = announcedMaterials(services, row);
  if (materials === undefined || intent === undefined) {
    return refusing(() => refuse('CONTEXT', 'keys', 'The key no longer has the material that was announced.'));
  }
  let raka: AgreementKey | undefined;
  let keys: SessionKeys | undefined;
  let signing: Promise<SealedMessage>;
  let exported: Omit<Exported, 'sealed'>;
  try {
    raka = await hsm.generateAgreementKey(randomBytes(LABEL_OCTETS));
    const kid = services.channel.signingKid(row.epoch);
    const context = agreementContext({
      suite,
      partition: services.partition,
      source: { region: services.region, kid, point: raka.point },
      destination: { region: row.destination, kid: offerJws.kid, point: offer.body.point },
      sid,
      keys: row.keys,
      intent: intent.signingInput,
      offer: offerJws.signingInput,
      contexts: row.keys.map((key) => key.context),
    });
    keys = await agree(hsm, raka, 'wrap', context);
    const entries: Bodies['transfer']['keys'][number][] = [];
    for (const [index, key] of row.keys.entries()) {
      const wrapped = [];
      for (const material of materials[index] ?? []) wrapped.push(await hsm.wrap(keys, material));
      entries.push({ keyId: key.keyId, generation: key.generation, context: key.context, wrapped });
    }
    const confirmation = await hsm.confirm(keys, sourceConfirmationInput(context, transferBlobsHash(entries)));
    const unsigned = services.channel.compose(
      'transfer',
      { destination: row.destination, role: 'S', sid, prev: offerJws.messageId, epoch: row.epoch },
      { suite, point: raka.point, keys: entries, confirmation },
    );
    const transcript2 = transcriptHash2(intent.signingInput, offerJws.signingInput, unsigned.signingInput);
    // KCK cannot be kept over a crash, so that its only later use is made here.
    const expected = await hsm.confirm(keys, destinationConfirmationInput(context, transcript2));
    exported = { confirmationHash: confirmationHashOf(expected), point: toBase64Url(raka.point) };
    signing = services.channel.sign(unsigned, hsm);
    // It fails below, after the keys are gone.
    signing.catch(() => undefined);
  } finally {
    // Their last use was above: they are destroyed while M2 is signed.
    const made = [raka, keys].filter((object) => object !== undefined);
    if (made.length > 0) await hsm.release(...made);
  }
  return { sealed: await signing, ...exported };
}

/** What is kept of a key confirmation: base64url of its SHA-384. */
export function confirmationHashOf(confirmation: Uint8Array): string {
  return toBase64Url(createHash('sha384').update(confirmation).digest());
}
