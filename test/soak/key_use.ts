import { randomBytes } from 'node:crypto';
import { refusalOfUse, regionsOf, type ModelKey, type Product } from './key_model.js';
import type { Asker } from './soak_world.js';

/** Uses a key for something new, or checks something that it made before. Returns when there is an answer, whatever it is. */
export async function useKey(asker: Asker, key: ModelKey): Promise<void> {
  const region = asker.chance.pick(regionsOf(key)) ?? key.region;
  const refusal = region === key.region ? refusalOfUse(key) : undefined;
  const earlier = asker.chance.pick(key.products);
  if (earlier !== undefined && refusal === undefined && asker.chance.next() < 0.05) {
    const [operation, request] = questionOf(key, alteredProduct(earlier));
    await asker.expect(region, operation, request, [REFUSAL_OF_ALTERED[earlier.kind]]);
  } else if (earlier !== undefined && asker.chance.next() < 0.5) {
    await checkProduct(asker, key, { region, product: earlier, refusal });
  } else await makeProduct(asker, key, { region, refusal });
}

/** What a product is refused with that is not as the key made it. */
const REFUSAL_OF_ALTERED: Readonly<Record<Product['kind'], string>> = {
  ciphertext: 'InvalidCiphertextException',
  signature: 'KMSInvalidSignatureException',
  mac: 'KMSInvalidMacException',
};

function alteredProduct(product: Product): Product {
  if (product.kind === 'ciphertext') return { ...product, context: { ...product.context, altered: 'yes' } };
  return { ...product, message: Buffer.from(`altered ${product.message}`).toString('base64') };
}

interface Use {
  readonly region: string;
  readonly refusal: string | undefined;
}

async function makeProduct(asker: Asker, key: ModelKey, { region, refusal }: Use): Promise<void> {
  const text = randomBytes(1 + asker.chance.below(200)).toString('base64');
  const ask = (operation: string, request: object) =>
    asker.expect(region, operation, { KeyId: key.keyId, ...request }, [refusal]);
  if (key.kind === 'signature') {
    const answer = await ask('Sign', { Message: text, SigningAlgorithm: 'ECDSA_SHA_256' });
    if (answer?.kind === 'done') {
      key.products.push({ kind: 'signature', message: text, signature: String(answer.value['Signature']) });
    }
    return;
  }
  if (key.kind === 'mac') {
    const answer = await ask('GenerateMac', { Message: text, MacAlgorithm: 'HMAC_SHA_256' });
    if (answer?.kind === 'done') key.products.push({ kind: 'mac', message: text, mac: String(answer.value['Mac']) });
    return;
  }
  const context: Record<string, string> = asker.chance.next() < 0.5 ? { of: asker.name } : {};
  const isDataKey = asker.chance.next() < 0.3;
  const answer = isDataKey
    ? await ask('GenerateDataKey', { KeySpec: 'AES_256', EncryptionContext: context })
    : await ask('Encrypt', { Plaintext: text, EncryptionContext: context });
  if (answer?.kind !== 'done') return;
  const plaintext = isDataKey ? String(answer.value['Plaintext']) : text;
  key.products.push({ kind: 'ciphertext', blob: String(answer.value['CiphertextBlob']), plaintext, context });
}

/**
 * Checks that what a key made once is still what it was.
 *
 * @returns whether there was an answer that counts, right or wrong
 */
export async function checkProduct(
  asker: Asker,
  key: ModelKey,
  { region, product, refusal }: Use & { readonly product: Product },
): Promise<boolean> {
  const [operation, request] = questionOf(key, product);
  const answer = await asker.expect(region, operation, request, [refusal]);
  if (answer === undefined || answer.kind === 'refused') return true;
  if (answer.kind === 'open') return false;
  const isRight =
    product.kind === 'ciphertext'
      ? answer.value['Plaintext'] === product.plaintext
      : answer.value[product.kind === 'mac' ? 'MacValid' : 'SignatureValid'] === true;
  if (!isRight) asker.violate(`${operation} at ${region} with ${key.keyId} gave a wrong answer`);
  return true;
}

function questionOf(key: ModelKey, product: Product): readonly [string, object] {
  switch (product.kind) {
    case 'ciphertext':
      return ['Decrypt', { KeyId: key.keyId, CiphertextBlob: product.blob, EncryptionContext: product.context }];
    case 'signature':
      return [
        'Verify',
        {
          KeyId: key.keyId,
          Message: product.message,
          Signature: product.signature,
          SigningAlgorithm: 'ECDSA_SHA_256',
        },
      ];
    case 'mac':
      return [
        'VerifyMac',
        { KeyId: key.keyId, Message: product.message, Mac: product.mac, MacAlgorithm: 'HMAC_SHA_256' },
      ];
    default: {
      const unlisted: never = product;
      return unlisted;
    }
  }
}

/** Re-encrypts something of one key under another one of the same region. */
export async function reEncrypt(asker: Asker, from: ModelKey, to: ModelKey): Promise<void> {
  const product = asker.chance.pick(from.products);
  if (product?.kind !== 'ciphertext' || from.region !== to.region) return;
  const refusal = refusalOfUse(from) ?? refusalOfUse(to);
  const answer = await asker.expect(
    from.region,
    'ReEncrypt',
    {
      CiphertextBlob: product.blob,
      SourceEncryptionContext: product.context,
      DestinationKeyId: to.keyId,
      DestinationEncryptionContext: product.context,
    },
    [refusal],
  );
  if (answer?.kind === 'done') to.products.push({ ...product, blob: String(answer.value['CiphertextBlob']) });
}
