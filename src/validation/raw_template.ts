import type { Template } from '../token/template.js';

/** A template as pkcs11js takes it, for single calls by {@link RawLibrary}. */
export function rawTemplate(shape: Template): { type: number; value: number | boolean | Buffer }[] {
  return shape.map(({ type, value }) => {
    if (typeof value === 'boolean' || typeof value === 'number') return { type, value };
    if (value instanceof Uint8Array) return { type, value: Buffer.from(value) };
    throw new TypeError('pkcs11js takes no lists and no templates within templates');
  });
}
