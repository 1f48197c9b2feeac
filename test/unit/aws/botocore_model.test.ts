import { expect } from 'chai';
import { OPERATIONS } from '../../../src/surfaces/aws/operations.js';
import type { Shape, StructureShape } from '../../../src/surfaces/aws/shape.js';
import { botocoreModel, type BotocoreModel, type BoundedShape } from '../../support/botocore_model.js';

/** Patterns that older models have otherwise: ours are those of the current one. */
const CHANGED: readonly RegExp[] = [
  /CustomKeyStore\.CloudHsmClusterId pattern cluster-/,
  /CustomKeyStore\.XksProxyVpcEndpointServiceName pattern \^\(com\|eu\)/,
  /CustomKeyStore\.XksProxyVpcEndpointServiceOwner pattern \[0-9\]\{12\},/,
];

/** Bounds of members that are newer than Debian's botocore, as the model of the current one has them. */
const NEWER: readonly (readonly [string, BoundedShape])[] = [
  ['CreateKey.XksKeyId', { type: 'string', min: 1, max: 128, pattern: '^[a-zA-Z0-9-_.]+$' }],
  ['Decapsulate.KeyId', { type: 'string', min: 1, max: 2048 }],
  ['Decapsulate.SharedSecretCiphertextBlob', { type: 'blob', min: 1, max: 6144 }],
  ['DeleteImportedKeyMaterial.KeyMaterialId', { type: 'string', min: 64, max: 64, pattern: '^[a-f0-9]+$' }],
  ['DeriveSharedSecret.PublicKey', { type: 'blob', min: 1, max: 8192 }],
  ['EnableKeyRotation.RotationPeriodInDays', { type: 'integer', min: 90, max: 2560 }],
  ['Encapsulate.KeyId', { type: 'string', min: 1, max: 2048 }],
  ['GetKeyLastUsage.KeyId', { type: 'string', min: 1, max: 2048 }],
  ['ImportKeyMaterial.KeyMaterialDescription', { type: 'string', min: 0, max: 256, pattern: '^[a-zA-Z0-9:/_\\s.-]+$' }],
  ['ImportKeyMaterial.KeyMaterialId', { type: 'string', min: 64, max: 64, pattern: '^[a-f0-9]+$' }],
  ['ListKeyRotations.KeyId', { type: 'string', min: 1, max: 2048 }],
  ['ListKeyRotations.Limit', { type: 'integer', min: 1, max: 1000 }],
  ['RotateKeyOnDemand.KeyId', { type: 'string', min: 1, max: 2048 }],
];

describe('The bounds of newer request members', () => {
  for (const [place, bounded] of NEWER) {
    it(`are those of AWS KMS: ${place}`, () => {
      const [operation = '', member = ''] = place.split('.');
      const shape = OPERATIONS.get(operation)?.shape;
      const own = shape?.required[member] ?? shape?.optional[member];
      if (own === undefined) throw new Error('there is no such member');
      expect(compareBounds({ operations: {}, shapes: {} }, place, own, bounded)).to.deep.equal([]);
    });
  }
});

describe('The bounds of request members beside the model of the installed botocore', function () {
  const model = botocoreModel();

  before(function () {
    // Without the AWS CLI and boto3 there is no such model: the package python3-botocore has it.
    if (model === undefined) this.skip();
  });

  it('are its lengths, ranges and patterns', () => {
    if (model === undefined) return;
    // Operations that are newer than the installed model are left out.
    const known = [...OPERATIONS].filter(([name]) => model.operations[name] !== undefined);
    expect(known).to.have.length.above(30);
    const differences = known.flatMap(([name, { shape }]) =>
      compareMembers(model, name, shape, model.shapes[model.operations[name]?.input?.shape ?? '']),
    );
    expect(differences.filter((difference) => !CHANGED.some((known) => known.test(difference)))).to.deep.equal([]);
  });
});

function compareMembers(
  model: BotocoreModel,
  path: string,
  shape: StructureShape,
  bounded: BoundedShape | undefined,
): readonly string[] {
  const ours = { ...shape.required, ...shape.optional };
  return Object.entries(bounded?.members ?? {}).flatMap(([name, { shape: reference }]) => {
    const own = ours[name];
    return own === undefined ? [] : compareBounds(model, `${path}.${name}`, own, model.shapes[reference]);
  });
}

function compareBounds(
  model: BotocoreModel,
  place: string,
  shape: Shape,
  bounded: BoundedShape | undefined,
): readonly string[] {
  if (bounded === undefined) return [`${place} has no shape in the model`];
  switch (shape.type) {
    case 'text':
    case 'blob': {
      const pattern = shape.type === 'text' ? shape.pattern?.shown : undefined;
      return [
        ...differing(`${place} min`, shape.lengthMin, bounded.min),
        ...differing(`${place} max`, shape.lengthMax, bounded.max),
        ...(pattern === bounded.pattern ? [] : [`${place} pattern ${pattern}, not ${bounded.pattern}`]),
      ];
    }
    case 'integer':
      return [
        ...differing(`${place} min`, shape.min, bounded.min),
        ...differing(`${place} max`, shape.max, bounded.max),
      ];
    case 'list': {
      const member = bounded.member === undefined ? undefined : model.shapes[bounded.member.shape];
      const count = bounded.max === undefined ? [] : differing(`${place} max`, shape.lengthMax, bounded.max);
      return [...count, ...compareBounds(model, `${place}.member`, shape.member, member)];
    }
    case 'structure':
      return compareMembers(model, place, shape, bounded);
    case 'boolean':
    case 'enum':
    case 'map':
    case 'timestamp':
      return [];
  }
}

function differing(what: string, ours: number, theirs: number | undefined): readonly string[] {
  return ours === theirs ? [] : [`${what} ${ours}, not ${theirs}`];
}
