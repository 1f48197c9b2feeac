import { equalOctets } from '../bytes.js';
import type { StoredMaterial } from '../hsm/material.js';
import type { UnverifiedJws } from '../wire/jws.js';
import { destinationConfirmationInput, sourceConfirmationInput, transcriptHash2 } from '../wire/fixed_info.js';
import { reject, type Reject } from '../wire/refusal.js';
import { agree, agreementContext, transferBlobsHash } from './agreement.js';
import type { SealedMessage } from './channel.js';
import type { CheckedTransfer, OpenOffer } from './import_checks.js';
import type { KeyMetadataContext } from './key_context.js';
import type { MessageOf } from './message.js';
import type { SessionKeys } from './replication_hsm.js';
import type { Services } from './services.js';

/** What an import brought: M3, and each key's material wrapped under this region's domain key. */
export interface Imported {
  readonly sealed: SealedMessage;
  readonly materials: readonly (readonly StoredMaterial[])[];
}

/**
 * Steps 4 and 5: derives RWK and KCK, checks the source's key confirmation, unwraps every material, destroys what was ephemeral, and
 * makes M3. No token object stays; nothing is recorded when this returns.
 *
 * @throws `HsmError`; a refusal `KC` as a value
 * @source docs/PROTOCOL.md section 5
 */
export async function importKeys(
  services: Services,
  offer: OpenOffer,
  transfer: MessageOf<'transfer'>,
  transferJws: UnverifiedJws,
  checked: CheckedTransfer,
): Promise<Imported | Reject> {
  const { body, envelope } = transfer;
  const sid = envelope.sid ?? '';
  const hsm = services.hsm(sid);
  let keys: SessionKeys | undefined;
  let signing: Promise<SealedMessage>;
  const materials: StoredMaterial[][] = [];
  try {
    const context = agreementContext({
      suite: checked.suite,
      partition: services.partition,
      source: { region: envelope.issuer, kid: transferJws.kid, point: body.point },
      destination: { region: services.region, kid: offer.kid, point: offer.rakb.point },
      sid,
      keys: body.keys,
      intent: offer.intentInput,
      offer: offer.offerInput,
      contexts: body.keys.map((key) => key.context),
    });
    keys = await agree(hsm, offer.rakb, 'unwrap', context);
    const expected = await hsm.confirm(keys, sourceConfirmationInput(context, transferBlobsHash(body.keys)));
    if (!equalOctets(expected, body.confirmation))
      return reject('KC', 'kcS', 'The source has not derived the same keys.');
    for (const [index, key] of body.keys.entries()) {
      const metadata = checked.contexts[index];
      const unwrapped: StoredMaterial[] = [];
      for (const wrapped of metadata === undefined ? [] : key.wrapped) {
        if (metadata === undefined) continue;
        unwrapped.push(
          await hsm.unwrap(keys, wrapped, {
            keyId: metadata.keyId,
            keySpec: metadata.keySpec,
            keyUsage: metadata.keyUsage,
            multiRegion: true,
            dataSuite: metadata.dataSuite,
            materialId: wrapped.materialId,
          }),
        );
      }
      materials.push(unwrapped);
    }
    const transcript2 = transcriptHash2(offer.intentInput, offer.offerInput, transferJws.signingInput);
    const confirmation = await hsm.confirm(keys, destinationConfirmationInput(context, transcript2));
    const unsigned = services.channel.compose(
      'confirm',
      { destination: envelope.issuer, role: 'D', sid, prev: transferJws.messageId, epoch: envelope.epoch },
      {
        keys: body.keys.map((key, index) => ({
          keyId: key.keyId,
          generation: key.generation,
          installed: installedIds(services, envelope.issuer, checked.contexts[index]),
          replicaState: 'Enabled' as const,
        })),
        confirmation,
      },
    );
    signing = services.channel.sign(unsigned, hsm);
    // It fails below, after the keys are gone.
    signing.catch(() => undefined);
  } finally {
    // Their last use was above: they are destroyed while M3 is signed.
    await hsm.release(offer.rakb, ...(keys === undefined ? [] : [keys]));
  }
  return { sealed: await signing, materials };
}

/** The materials that the replica has then; of imported material its identities, and the one that waits if it is here. */
function installedIds(services: Services, source: string, context: KeyMetadataContext | undefined): readonly string[] {
  if (context === undefined) return [];
  const ids = context.materials.map((material) => material.materialId);
  const pending = context.imported?.pending?.materialId;
  const held = services.keys.standing(context.keyId, source).pendingId;
  return pending !== undefined && pending === held ? [...ids, pending] : ids;
}
