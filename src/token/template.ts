/**
 * Value of an attribute in a template: `CK_BBOOL`, `CK_ULONG`, octets, or a list of mechanisms
 * (`CKA_ALLOWED_MECHANISMS`), or a template inside a template (`CKA_UNWRAP_TEMPLATE`).
 */
export type TemplateValue = boolean | number | Uint8Array | readonly number[] | { readonly template: Template };

/** One attribute of a template. */
export interface TemplateAttribute {
  readonly type: number;
  readonly value: TemplateValue;
}

/** A PKCS#11 template: what an object is asked to be. */
export type Template = readonly TemplateAttribute[];

/** A template from attribute types and values, in the order given. */
export function template(...attributes: readonly (readonly [number, TemplateValue])[]): Template {
  return attributes.map(([type, value]) => ({ type, value }));
}
