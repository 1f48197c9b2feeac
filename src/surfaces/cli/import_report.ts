import { expirationMembers } from '../../customer/expiration.js';
import { fingerprintOf, issuedMs, type ImportParameters } from '../../customer/parameters.js';
import type { ImportedMaterial, ImportRequest } from '../../customer/upload.js';
import { table, type Output } from './output.js';

/** Says what is going to happen, on standard error. */
export function announce(output: Output, facts: Readonly<Record<string, string>>): void {
  output.note(table(Object.entries(facts).map(([name, value]) => [LABELS[name] ?? name, value])));
}

const LABELS: Readonly<Record<string, string>> = {
  keyId: 'key',
  keySpec: 'key spec',
  keyState: 'key state',
  importType: 'import type',
  publicKey: 'public key',
  keyMaterialId: 'key material id',
};

/** What a request asks for, in words. */
export function requestRows(request: ImportRequest, parameters: ImportParameters): Readonly<Record<string, string>> {
  const { expiration, ...rest } = request;
  const { ValidTo } = expirationMembers(expiration, issuedMs(parameters));
  const given = Object.entries(rest).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { expires: ValidTo === undefined ? 'never' : timeText(ValidTo * 1000), ...Object.fromEntries(given) };
}

/** Says what was imported. */
export function report(
  output: Output,
  imported: ImportedMaterial,
  how: { readonly parameters: ImportParameters; readonly strategy?: string; readonly wrappedOctets: number },
): void {
  const { keyId, keyMaterialId, validToMs } = imported;
  const { wrappingAlgorithm, wrappingKeySpec, keySpec } = how.parameters;
  const validTo = validToMs === null ? null : timeText(validToMs);
  const document = {
    keyId,
    keySpec,
    keyMaterialId,
    validTo,
    wrappingAlgorithm,
    wrappingKeySpec,
    publicKeySha256: fingerprintOf(how.parameters),
    wrappedOctets: how.wrappedOctets,
    ...(how.strategy === undefined ? {} : { strategy: how.strategy }),
  };
  output.result(document, (colours) =>
    [
      colours.green(`imported into ${keyId}`),
      ...(keyMaterialId === null ? [] : [`key material id ${keyMaterialId}`]),
      validTo === null ? 'it does not expire' : `it expires at ${validTo}`,
    ].join('\n'),
  );
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
