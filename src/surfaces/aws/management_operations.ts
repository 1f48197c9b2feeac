import { ENCAPSULATION_ALGORITHMS } from '../../kms/encapsulation.js';
import { createAlias } from '../../kms/operations/create_alias.js';
import { decapsulate } from '../../kms/operations/decapsulate.js';
import { deleteAlias } from '../../kms/operations/delete_alias.js';
import { disableKey } from '../../kms/operations/disable_key.js';
import { enableKey } from '../../kms/operations/enable_key.js';
import { encapsulate } from '../../kms/operations/encapsulate.js';
import { getKeyLastUsage } from '../../kms/operations/get_key_last_usage.js';
import { listAliases } from '../../kms/operations/list_aliases.js';
import { listResourceTags } from '../../kms/operations/list_resource_tags.js';
import { tagResource } from '../../kms/operations/tag_resource.js';
import { untagResource } from '../../kms/operations/untag_resource.js';
import { updateAlias } from '../../kms/operations/update_alias.js';
import { updateKeyDescription } from '../../kms/operations/update_key_description.js';
import { aliasName, ciphertext, description, grantTokens, keyId, marker, tagKeys, tags } from './member_shapes.js';
import { boolean, integer, oneOf, structure } from './shape.js';
import { operation, type WireOperation } from './wire_operation.js';

const ofKey = structure({ required: { KeyId: keyId }, optional: {} });
const page = { Limit: integer(1, 1000), Marker: marker };
const aliasOfKey = structure({ required: { AliasName: aliasName, TargetKeyId: keyId }, optional: {} });
const encapsulation = {
  required: { KeyId: keyId, EncapsulationAlgorithm: oneOf(ENCAPSULATION_ALGORITHMS) },
  optional: { GrantTokens: grantTokens, DryRun: boolean },
} as const;

/**
 * The operations of aliases, tags, descriptions and states, by the name in `X-Amz-Target`.
 *
 * @source AWS KMS API Reference
 */
export const MANAGEMENT_OPERATIONS: readonly (readonly [string, WireOperation])[] = [
  ['CreateAlias', operation(aliasOfKey, createAlias)],
  [
    'Decapsulate',
    operation(
      structure({
        required: { ...encapsulation.required, SharedSecretCiphertextBlob: ciphertext },
        optional: encapsulation.optional,
      }),
      decapsulate,
    ),
  ],
  ['DeleteAlias', operation(structure({ required: { AliasName: aliasName }, optional: {} }), deleteAlias)],
  ['DisableKey', operation(ofKey, disableKey)],
  ['EnableKey', operation(ofKey, enableKey)],
  ['Encapsulate', operation(structure(encapsulation), encapsulate)],
  ['GetKeyLastUsage', operation(ofKey, getKeyLastUsage)],
  ['ListAliases', operation(structure({ required: {}, optional: { KeyId: keyId, ...page } }), listAliases)],
  ['ListResourceTags', operation(structure({ required: { KeyId: keyId }, optional: page }), listResourceTags)],
  ['TagResource', operation(structure({ required: { KeyId: keyId, Tags: tags }, optional: {} }), tagResource)],
  [
    'UntagResource',
    operation(structure({ required: { KeyId: keyId, TagKeys: tagKeys }, optional: {} }), untagResource),
  ],
  ['UpdateAlias', operation(aliasOfKey, updateAlias)],
  [
    'UpdateKeyDescription',
    operation(structure({ required: { KeyId: keyId, Description: description }, optional: {} }), updateKeyDescription),
  ],
];
