import { expect } from 'chai';
import { RECORDED_OPERATIONS } from '../../../src/audit/recorded_members.js';
import { TRACKED_OPERATIONS } from '../../../src/kms/last_usage_store.js';
import { STATUS } from '../../../src/surfaces/aws/exceptions.js';
import { OPERATIONS } from '../../../src/surfaces/aws/operations.js';
import type { Shape, StructureShape } from '../../../src/surfaces/aws/shape.js';
import {
  modelEnum,
  modelExceptions,
  modelOperations,
  modelStructure,
  type ModelMember,
} from '../../support/sdk_model.js';

/** Where our tables differ from the model, and why. Whatever else differs is a defect, or new in the SDK. */
const DIFFERENCES: Readonly<Record<string, string>> = {};

const NO_STORES = 'there are no custom key stores';
/** Exceptions of the model that nothing here raises, and why. */
const NEVER_RAISED: Readonly<Record<string, string>> = {
  CloudHsmClusterInUseException: NO_STORES,
  CloudHsmClusterInvalidConfigurationException: NO_STORES,
  CloudHsmClusterNotActiveException: NO_STORES,
  CloudHsmClusterNotFoundException: NO_STORES,
  CloudHsmClusterNotRelatedException: NO_STORES,
  CustomKeyStoreHasCMKsException: NO_STORES,
  CustomKeyStoreInvalidStateException: NO_STORES,
  CustomKeyStoreNameInUseException: NO_STORES,
  IncorrectTrustAnchorException: NO_STORES,
  XksKeyAlreadyInUseException: NO_STORES,
  XksKeyInvalidConfigurationException: NO_STORES,
  XksKeyNotFoundException: NO_STORES,
  XksProxyIncorrectAuthenticationCredentialException: NO_STORES,
  XksProxyInvalidConfigurationException: NO_STORES,
  XksProxyInvalidResponseException: NO_STORES,
  XksProxyUriEndpointInUseException: NO_STORES,
  XksProxyUriInUseException: NO_STORES,
  XksProxyUriUnreachableException: NO_STORES,
  XksProxyVpcEndpointServiceInUseException: NO_STORES,
  XksProxyVpcEndpointServiceInvalidConfigurationException: NO_STORES,
  XksProxyVpcEndpointServiceNotFoundException: NO_STORES,
};

/** Exceptions that no operation's model has, and that every operation may raise. */
const UNMODELLED = new Set([
  'AccessDeniedException',
  'ExpiredTokenException',
  'IncompleteSignatureException',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'SerializationException',
  'ThrottlingException',
  'UnknownOperationException',
  'UnrecognizedClientException',
  'ValidationException',
]);

describe('The tables of operations beside the model of the installed SDK', () => {
  const model = modelOperations();

  it('have every operation of the model, and no other', () => {
    expect([...OPERATIONS.keys()].toSorted()).to.deep.equal([...model.keys()].toSorted());
  });

  it('have every member of every request, with its type, its enum’s values, and whether it is required', () => {
    const differences = [...OPERATIONS].flatMap(([name, { shape }]) =>
      compareStructure(name, shape, model.get(name)?.input ?? new Map()),
    );
    expect(differences.toSorted()).to.deep.equal(Object.keys(DIFFERENCES).toSorted());
  });

  it('have every exception of the model, and beside them those of the front end', () => {
    expect(STATUS).to.include.keys(...UNMODELLED);
    const ours = new Set(Object.keys(STATUS).filter((name) => !UNMODELLED.has(name)));
    const missing = [...modelExceptions()].filter((name) => !ours.has(name));
    expect(missing.toSorted()).to.deep.equal(Object.keys(NEVER_RAISED).toSorted());
    expect([...ours].filter((name) => !modelExceptions().has(name))).to.deep.equal([]);
  });

  it('remember the last usage of every operation that the model tracks', () => {
    expect(TRACKED_OPERATIONS.toSorted()).to.deep.equal(modelEnum('KeyLastUsageTrackingOperation')?.toSorted());
  });

  it('say of every operation of the model what the audit trail keeps', () => {
    expect([...model.keys()]).to.satisfy((names: readonly string[]) =>
      names.every((name) => RECORDED_OPERATIONS.includes(name)),
    );
  });
});

/** Ways in which a structure of ours differs from the model’s. */
function compareStructure(
  path: string,
  shape: StructureShape,
  members: ReadonlyMap<string, ModelMember>,
): readonly string[] {
  const ours = new Map<string, { readonly member: Shape; readonly required: boolean }>([
    ...Object.entries(shape.required).map(([name, member]) => [name, { member, required: true }] as const),
    ...Object.entries(shape.optional).map(([name, member]) => [name, { member, required: false }] as const),
  ]);
  const extra = [...ours.keys()].filter((name) => !members.has(name)).map((name) => `${path} has ${name} beside`);
  const compared = [...members].flatMap(([name, { required, type }]) => {
    const own = ours.get(name);
    if (own === undefined) return [`${path} lacks ${name}`];
    const place = `${path}.${name}`;
    const demand = own.required === required ? [] : [`${place} is ${required ? 'required' : 'optional'} in the model`];
    return [...demand, ...compareType(place, own.member, type)];
  });
  return [...extra, ...compared];
}

function compareType(place: string, shape: Shape, type: string): readonly string[] {
  switch (shape.type) {
    case 'text':
      return type === 'string' ? [] : [`${place} is ${type} in the model`];
    case 'integer':
      return type === 'number' ? [] : [`${place} is ${type} in the model`];
    case 'boolean':
      return type === 'boolean' ? [] : [`${place} is ${type} in the model`];
    case 'timestamp':
      return type === 'Date' ? [] : [`${place} is ${type} in the model`];
    case 'blob':
      return type === 'Uint8Array' ? [] : [`${place} is ${type} in the model`];
    case 'map':
      return type === 'Record<string, string>' ? [] : [`${place} is ${type} in the model`];
    case 'list':
      return type.endsWith('[]')
        ? compareType(place, shape.member, type.slice(0, -2))
        : [`${place} is ${type} in the model`];
    case 'structure':
      return compareStructure(place, shape, modelStructure(type));
    case 'enum': {
      const values = modelEnum(type);
      if (values === undefined) return [`${place} is ${type} in the model`];
      return [
        ...values.filter((value) => !shape.values.includes(value)).map((value) => `${place} lacks ${value}`),
        ...shape.values.filter((value) => !values.includes(value)).map((value) => `${place} has ${value} beside`),
      ];
    }
  }
}
