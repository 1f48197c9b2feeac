import { utf8 } from '../bytes.js';
import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_DERIVE,
  CKA_EC_PARAMS,
  CKA_ENCRYPT,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_MODULUS_BITS,
  CKA_PRIVATE,
  CKA_PUBLIC_EXPONENT,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_UNWRAP,
  CKA_VALUE,
  CKA_VALUE_LEN,
  CKA_VERIFY,
  CKA_WRAP,
  CKK_AES,
  CKK_EC,
  CKK_GENERIC_SECRET,
  CKK_RSA,
  CKO_PRIVATE_KEY,
  CKO_PUBLIC_KEY,
  CKO_SECRET_KEY,
} from '../token/cryptoki.js';
import { attributeOfUse, type KeyUse } from '../hsm/key_shape.js';
import { template, type Template, type TemplateValue } from '../token/template.js';
import { CURVES, type Curve } from '../wire/curve.js';
import { VALIDATION_LABEL } from './object_watch.js';

type More = readonly (readonly [number, TemplateValue])[];

/** How a key of a check is to be: a private session object, sensitive and not extractable unless something else is said. */
export interface KeyShape {
  readonly usage: readonly KeyUse[];
  readonly extractable?: boolean;
  readonly sensitive?: boolean;
  readonly token?: boolean;
  readonly more?: More;
}

/** A secret key; `valueBytes` is `CKA_VALUE_LEN`. */
export interface SecretShape extends KeyShape {
  readonly keyType: 'aes' | 'generic';
  readonly valueBytes?: number;
}

function common(shape: KeyShape): More {
  return [
    [CKA_TOKEN, shape.token ?? false],
    [CKA_PRIVATE, true],
    [CKA_LABEL, utf8(VALIDATION_LABEL)],
    [CKA_SENSITIVE, shape.sensitive ?? true],
    [CKA_EXTRACTABLE, shape.extractable ?? false],
  ];
}

/** Template of a secret key that says of every usage whether it is allowed. */
export function secretTemplate(shape: SecretShape): Template {
  return template(
    [CKA_CLASS, CKO_SECRET_KEY],
    [CKA_KEY_TYPE, shape.keyType === 'aes' ? CKK_AES : CKK_GENERIC_SECRET],
    ...common(shape),
    ...(Object.entries(attributeOfUse) as [KeyUse, number][]).map(
      ([usage, attribute]) => [attribute, shape.usage.includes(usage)] as const,
    ),
    ...(shape.valueBytes === undefined ? [] : [[CKA_VALUE_LEN, shape.valueBytes] as const]),
    ...(shape.more ?? []),
  );
}

/** Template for `C_CreateObject` of a secret key with a value that is no secret: a published or seeded one. */
export function knownSecretTemplate(shape: SecretShape, value: Uint8Array): Template {
  return [...secretTemplate(shape), { type: CKA_VALUE, value }];
}

/** Templates of an EC pair: the public and the private half. */
export function ecPairTemplates(shape: KeyShape, curve: Curve = CURVES['P-384']): readonly [Template, Template] {
  return [
    template(
      [CKA_CLASS, CKO_PUBLIC_KEY],
      [CKA_KEY_TYPE, CKK_EC],
      [CKA_TOKEN, shape.token ?? false],
      [CKA_LABEL, utf8(VALIDATION_LABEL)],
      [CKA_EC_PARAMS, curve.oid],
      [CKA_VERIFY, shape.usage.includes('sign')],
    ),
    template(
      [CKA_CLASS, CKO_PRIVATE_KEY],
      [CKA_KEY_TYPE, CKK_EC],
      ...common(shape),
      [CKA_SIGN, shape.usage.includes('sign')],
      [CKA_DERIVE, shape.usage.includes('derive')],
      ...(shape.more ?? []),
    ),
  ];
}

/** Templates of an RSA pair: the public half encrypts, wraps and verifies what the private half decrypts, unwraps and signs. */
export function rsaPairTemplates(shape: KeyShape, modulusBits: number): readonly [Template, Template] {
  return [
    template(
      [CKA_CLASS, CKO_PUBLIC_KEY],
      [CKA_KEY_TYPE, CKK_RSA],
      [CKA_TOKEN, false],
      [CKA_LABEL, utf8(VALIDATION_LABEL)],
      [CKA_MODULUS_BITS, modulusBits],
      [CKA_PUBLIC_EXPONENT, Buffer.from('010001', 'hex')],
      [CKA_ENCRYPT, shape.usage.includes('decrypt')],
      [CKA_WRAP, shape.usage.includes('unwrap')],
      [CKA_VERIFY, shape.usage.includes('sign')],
    ),
    template(
      [CKA_CLASS, CKO_PRIVATE_KEY],
      [CKA_KEY_TYPE, CKK_RSA],
      ...common(shape),
      [CKA_DECRYPT, shape.usage.includes('decrypt')],
      [CKA_UNWRAP, shape.usage.includes('unwrap')],
      [CKA_SIGN, shape.usage.includes('sign')],
      ...(shape.more ?? []),
    ),
  ];
}
