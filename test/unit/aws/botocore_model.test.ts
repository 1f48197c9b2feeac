import { expect } from 'chai';
import { OPERATIONS } from '../../../src/surfaces/aws/operations.js';
import type { Shape, StructureShape } from '../../../src/surfaces/aws/shape.js';
import { botocoreModel, type BotocoreModel, type BoundedShape } from '../../support/botocore_model.js';

/** Where our bounds differ from the model's, and why. */
const DIFFERENCES: Readonly<Record<string, string>> = {};

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
    expect(differences.toSorted()).to.deep.equal(Object.keys(DIFFERENCES).toSorted());
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
