import { concat, lengthPrefixed, toBase64Url, utf8 } from '../bytes.js';
import type { StoredMaterial, WrappedMaterial } from '../hsm/material.js';
import { decodeBase64Url } from '../wire/base64url.js';
import { parseJws, parsePayload, refusalOfSignature, signJws, type UnverifiedJws } from '../wire/jws.js';
import { Members } from '../wire/members.js';
import { isMultiRegionKeyId, isName } from '../wire/names.js';
import { refusalOfPoint } from '../wire/p384.js';
import { accepted, isReject, refuse, refusing, reject, type Reject } from '../wire/refusal.js';
import type { JsonObject } from '../wire/strict_json.js';
import { chooseSuite, REPLICATION_SUITES, type ReplicationSuite } from '../wire/suite.js';
import { decodeContext, encodeContext } from './context_codec.js';
import { classifyHsmFailure } from './hsm_failure.js';
import { REPLICATION_LIMITS as LIMITS } from './limits.js';
import type { Transport } from './ports.js';
import type { AgreementKey, ReplicationHsm, SessionKeys } from './replication_hsm.js';
import type { Services } from './services.js';

const OFFER_TYP = 'mrkr1-seed-offer+jws';
const TRANSFER_TYP = 'mrkr1-seed-transfer+jws';

/**
 * What goes around the signed messages in profile `seed`: the proxy's routing, which nobody signs. In the five steps the
 * key id, the regions and the metadata are not part of any signed message.
 */
interface Routing {
  readonly kind: 'order' | 'offer' | 'transfer';
  readonly keyId: string;
  readonly from: string;
  readonly jws: string;
  /** Metadata, base64url. */
  readonly context: string;
  readonly birthCertificate: string;
}

function encodeRouting(routing: Routing): Uint8Array {
  const { kind, keyId, from, jws, context, birthCertificate } = routing;
  return utf8(['seed', kind, keyId, from, jws || '-', context || '-', birthCertificate || '-'].join(' '));
}

function decodeRouting(octets: Uint8Array): Routing {
  const parts = Buffer.from(octets).toString('latin1').split(' ');
  const [word, kind, keyId = '', from = '', jws = '', context = '', birthCertificate = ''] = parts;
  if (word !== 'seed' || parts.length !== 7 || !isMultiRegionKeyId(keyId) || !isName(from)) {
    refuse('SYNTAX', null, 'Not a message of profile seed.');
  }
  if (kind !== 'order' && kind !== 'offer' && kind !== 'transfer')
    return refuse('SYNTAX', 'kind', 'Not a step of profile seed.');
  return { kind, keyId, from, jws, context, birthCertificate };
}

function fixedInfo(suite: ReplicationSuite, label: 'RWK' | 'KCK'): Uint8Array {
  return concat(lengthPrefixed(utf8(`MRKR1-SEED-${suite}`)), lengthPrefixed(utf8(label)));
}

function readPoint(members: Members, name: string): Uint8Array {
  const point = members.octets(name, { lengthMax: 1024, code: 'POINT' });
  const refusal = refusalOfPoint(point, name);
  return refusal === null ? point : refuse(refusal.code, name, refusal.detail);
}

/**
 * The five steps and nothing else: M1 carries RAKB, M2 carries RAKA and the wrapped material, both are signed. What this lacks
 * (identities, transcript, key id, origin, confirmation, recovery) is what the full protocol is for; a lab switch, never the default.
 *
 * @source docs/PROTOCOL.md section 10
 */
export class SeedExchange {
  readonly #services: Services;
  readonly #transport: Transport;
  readonly #offers = new Map<string, AgreementKey>();
  #nextOrderMs = 0;

  constructor(services: Services, transport: Transport) {
    this.#services = services;
    this.#transport = transport;
  }

  /** Asks each destination for an offer. */
  async startWanted(): Promise<void> {
    const { journal, region } = this.#services;
    for (const task of journal.openTasks()) {
      if (!task.wanted) continue;
      const order: Routing = {
        kind: 'order',
        keyId: task.keyId,
        from: region,
        jws: '',
        context: '',
        birthCertificate: '',
      };
      await this.#transport.send(task.destination, encodeRouting(order)).catch(() => undefined);
    }
  }

  /** Orders again what has not come, because nothing else in the five steps would. */
  async tick(): Promise<void> {
    const nowMs = this.#services.clock.monotonicMs();
    if (nowMs < this.#nextOrderMs) return;
    this.#nextOrderMs = nowMs + this.#services.times.resendBaseMs * 5;
    await this.startWanted();
  }

  async close(): Promise<void> {
    const keys = [...this.#offers.values()];
    this.#offers.clear();
    if (keys.length > 0) await this.#services.hsm(null).release(...keys);
  }

  /** Handles one message; its refusal is a line in the audit. */
  async receive(octets: Uint8Array): Promise<void> {
    const routing = refusing(() => decodeRouting(octets));
    if (isReject(routing)) return this.#services.channel.auditRefusal(routing, {});
    try {
      const refusal = await this.#handle(routing);
      if (routing.jws !== '-')
        this.#services.channel.traceMessage('received', utf8(routing.jws), {
          peer: routing.from,
          verification: refusal?.code ?? 'ok',
        });
      if (refusal !== null) this.#services.channel.auditRefusal(refusal, { peer: routing.from, keyId: routing.keyId });
    } catch (error) {
      const failure = classifyHsmFailure(error);
      this.#services.channel.auditRefusal(reject(failure.code, null, failure.detail), {
        peer: routing.from,
        keyId: routing.keyId,
      });
    }
  }

  #handle(routing: Routing): Promise<Reject | null> {
    switch (routing.kind) {
      case 'order':
        return this.#offer(routing);
      case 'offer':
        return this.#export(routing);
      case 'transfer':
        return this.#install(routing);
    }
  }

  /** Any active RSK of the partition will do: nothing in the message says whose it should be. */
  #open(
    compact: string,
    typ: string,
  ): { readonly jws: UnverifiedJws; readonly signer: string; readonly payload: JsonObject } {
    const { book } = this.#services;
    const jws = accepted(parseJws(compact));
    if (jws.typ !== typ) refuse('TYP', 'typ', 'Not that step of profile seed.');
    const known = book.key(jws.kid);
    if (known === undefined || !book.isActive(jws.kid, book.current?.epoch ?? 0n))
      return refuse('KID_STATE', 'kid', 'Not an active key.');
    const refusal = refusalOfSignature(jws, known.key);
    if (refusal !== null) refuse(refusal.code, refusal.field, refusal.detail);
    return { jws, signer: known.region, payload: accepted(parsePayload(jws)) };
  }

  async #send(destination: string, routing: Routing): Promise<void> {
    this.#services.channel.traceMessage('sent', utf8(routing.jws), { peer: destination, verification: 'ok' });
    await this.#transport.send(destination, encodeRouting(routing)).catch(() => undefined);
  }

  #seal(typ: string, payload: Parameters<typeof signJws>[1], hsm: ReplicationHsm): Promise<string> {
    const { book, channel } = this.#services;
    const kid = channel.signingKid(book.current?.epoch ?? 0n);
    return signJws({ kid, typ }, payload, (key, octets) => hsm.sign(key, octets));
  }

  /** Step 1. */
  async #offer(routing: Routing): Promise<Reject | null> {
    const hsm = this.#services.hsm(null);
    const old = this.#offers.get(routing.keyId);
    if (old === undefined && this.#offers.size >= LIMITS.offersPerPeerMax)
      return reject('LIMIT', null, 'Too many open offers.');
    const rakb = await hsm.generateAgreementKey(await hsm.random(32));
    this.#offers.set(routing.keyId, rakb);
    if (old !== undefined) await hsm.release(old);
    const jws = await this.#seal(OFFER_TYP, { rakb: toBase64Url(rakb.point) }, hsm);
    await this.#send(routing.from, { ...routing, kind: 'offer', from: this.#services.region, jws });
    return null;
  }

  /** Steps 2 and 3. */
  async #export(routing: Routing): Promise<Reject | null> {
    const { journal, keys, book, region } = this.#services;
    const hsm = this.#services.hsm(null);
    const opened = refusing(() => {
      const { signer, payload } = this.#open(routing.jws, OFFER_TYP);
      return { signer, point: readPoint(new Members(payload, ['rakb']), 'rakb') };
    });
    if (isReject(opened)) return opened;
    const task = journal.task(routing.keyId, opened.signer);
    const key = keys.exportable(routing.keyId, opened.signer);
    const peer = book.region(opened.signer);
    if (task === undefined || key === undefined || peer === undefined)
      return reject('CONTEXT', 'keyId', 'Nobody has asked for that replication.');
    const suite = chooseSuite(hsm.suites, peer.suites, 'CBCDERIVE-A256KWP');
    if (isReject(suite)) return suite;
    const raka = await hsm.generateAgreementKey(await hsm.random(32));
    let session: SessionKeys | undefined;
    const encoded = encodeContext(key.context);
    try {
      session = await hsm.agree(this.#request(raka, opened.point, suite, 'wrap'));
      const wrapped: WrappedMaterial[] = [];
      for (const material of key.materials) wrapped.push(await hsm.wrap(session, material));
      const jws = await this.#seal(
        TRANSFER_TYP,
        {
          suite,
          raka: toBase64Url(raka.point),
          wrapped: wrapped.map((item) => ({
            materialId: item.materialId,
            len: item.lengthOctets,
            blob: toBase64Url(item.blob),
          })),
        },
        hsm,
      );
      const context = toBase64Url(encoded);
      await this.#send(opened.signer, {
        ...routing,
        kind: 'transfer',
        from: region,
        jws,
        context,
        birthCertificate: key.birthCertificate,
      });
    } finally {
      await hsm.release(raka, ...(session === undefined ? [] : [session]));
    }
    // Nobody confirms anything in the five steps: the source can only hope.
    const generation = task.generation + 1n;
    journal.transaction(() => {
      journal.putTask({ ...task, generation, wanted: false, failure: null });
      const materialIds = key.materials.map(({ binding }) => binding.materialId);
      keys.confirmed(task.keyId, task.destination, generation, { materialIds, context: encoded });
    });
    return null;
  }

  #request(key: AgreementKey, peerPoint: Uint8Array, suite: ReplicationSuite, direction: 'wrap' | 'unwrap') {
    return {
      key,
      peerPoint,
      suite,
      fixedInfo: { rwk: fixedInfo(suite, 'RWK'), kck: fixedInfo(suite, 'KCK') },
      salt: new Uint8Array(48),
      direction,
    };
  }

  /** Steps 4 and 5. */
  async #install(routing: Routing): Promise<Reject | null> {
    const { journal, keys } = this.#services;
    const hsm = this.#services.hsm(null);
    const opened = refusing(() => {
      const members = new Members(this.#open(routing.jws, TRANSFER_TYP).payload, ['suite', 'raka', 'wrapped']);
      const context = accepted(decodeContext(decodeBase64Url(routing.context) ?? new Uint8Array()));
      const wrapped = members.list(
        'wrapped',
        { min: 1, max: LIMITS.materialsPerKeyMax },
        (item, path): WrappedMaterial => {
          const material = new Members(item, ['materialId', 'len', 'blob'], path);
          return {
            materialId: material.materialId('materialId'),
            class: 'CKO_SECRET_KEY',
            keyType: 'CKK_AES',
            lengthOctets: material.integer('len'),
            publicKey: null,
            blob: material.octets('blob', { lengthMax: LIMITS.wrappedBlobOctetsMax }),
          };
        },
      );
      return { suite: members.oneOf('suite', REPLICATION_SUITES), point: readPoint(members, 'raka'), context, wrapped };
    });
    if (isReject(opened)) return opened;
    const rakb = this.#offers.get(routing.keyId);
    if (rakb === undefined) return reject('SID', null, 'No offer is open for that key.');
    const { context, wrapped } = opened;
    this.#offers.delete(routing.keyId);
    let session: SessionKeys | undefined;
    const materials: StoredMaterial[] = [];
    try {
      session = await hsm.agree(this.#request(rakb, opened.point, opened.suite, 'unwrap'));
      for (const item of wrapped) {
        const { keySpec, keyUsage, dataSuite } = context;
        materials.push(
          await hsm.unwrap(session, item, {
            keyId: routing.keyId,
            keySpec,
            keyUsage,
            multiRegion: true,
            dataSuite,
            materialId: item.materialId,
          }),
        );
      }
    } finally {
      await hsm.release(rakb, ...(session === undefined ? [] : [session]));
    }
    const { from: source, keyId, birthCertificate } = routing;
    journal.transaction(() => {
      const generation = journal.highWater(keyId, source) + 1n;
      journal.raiseHighWater(keyId, source, generation);
      const materialIds = wrapped.map((item) => item.materialId);
      keys.announce({
        keyId,
        source,
        generation,
        keySpec: context.keySpec,
        keyUsage: context.keyUsage,
        origin: context.origin,
        birthCertificate,
        materialIds,
      });
      keys.install({ source, generation, birthCertificate, context: { ...context, keyId }, materials });
    });
    return null;
  }
}
