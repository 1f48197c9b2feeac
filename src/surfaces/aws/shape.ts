/**
 * Shapes of request members: their types and the constraints that the AWS KMS model puts on them. Everything here is plain data
 * made once; decode.ts walks it.
 *
 * @source AWS KMS API Reference, members of each operation
 */

/** A text, in UTF-16 units. */
export interface TextShape {
  readonly type: 'text';
  readonly lengthMin: number;
  readonly lengthMax: number;
  readonly pattern?: { readonly expression: RegExp; readonly shown: string };
}

/** One of a set of texts. */
export interface EnumShape<Value extends string = string> {
  readonly type: 'enum';
  readonly values: readonly Value[];
}

/** A whole number. */
export interface IntegerShape {
  readonly type: 'integer';
  readonly min: number;
  readonly max: number;
}

export interface BooleanShape {
  readonly type: 'boolean';
}

/** A point in time: seconds since the epoch on the wire, with a fraction or without. */
export interface TimestampShape {
  readonly type: 'timestamp';
}

/** Octets, base64 on the wire. */
export interface BlobShape {
  readonly type: 'blob';
  readonly lengthMin: number;
  readonly lengthMax: number;
}

/** A map of texts to texts. */
export interface MapShape {
  readonly type: 'map';
}

export interface ListShape<Member extends Shape = Shape> {
  readonly type: 'list';
  readonly lengthMax: number;
  readonly member: Member;
}

/** Members of a structure. Those that are not required may be absent or null. */
export interface StructureShape {
  readonly type: 'structure';
  readonly required: Readonly<Record<string, Shape>>;
  readonly optional: Readonly<Record<string, Shape>>;
}

export type Shape =
  | TextShape
  | EnumShape
  | IntegerShape
  | BooleanShape
  | TimestampShape
  | BlobShape
  | MapShape
  | ListShape
  | StructureShape;

/** What a value of a shape is after decoding. */
export type Decoded<S extends Shape> = S extends TextShape
  ? string
  : S extends EnumShape<infer Value>
    ? Value
    : S extends IntegerShape
      ? number
      : S extends BooleanShape
        ? boolean
        : S extends TimestampShape
          ? Date
          : S extends BlobShape
            ? Uint8Array
            : S extends MapShape
              ? Readonly<Record<string, string>>
              : S extends { readonly type: 'list'; readonly member: infer Member extends Shape }
                ? readonly Decoded<Member>[]
                : S extends {
                      readonly required: infer Required extends Readonly<Record<string, Shape>>;
                      readonly optional: infer Optional extends Readonly<Record<string, Shape>>;
                    }
                  ? { readonly [Name in keyof Required]: Decoded<Required[Name]> } & {
                      readonly [Name in keyof Optional]?: Decoded<Optional[Name]>;
                    }
                  : never;

/** A text of `min` to `max` UTF-16 units. @param shown - the pattern as validation messages show it */
export function text(min: number, max: number, pattern?: { expression: RegExp; shown: string }): TextShape {
  return { type: 'text', lengthMin: min, lengthMax: max, ...(pattern !== undefined && { pattern }) };
}

export function oneOf<const Value extends string>(values: readonly Value[]): EnumShape<Value> {
  return { type: 'enum', values };
}

export function integer(min: number, max: number): IntegerShape {
  return { type: 'integer', min, max };
}

/** Octets of a length from `min` to `max`. */
export function blob(min: number, max: number): BlobShape {
  return { type: 'blob', lengthMin: min, lengthMax: max };
}

export function listOf<Member extends Shape>(member: Member, lengthMax: number): ListShape<Member> {
  return { type: 'list', member, lengthMax };
}

export function structure<
  const Required extends Readonly<Record<string, Shape>>,
  const Optional extends Readonly<Record<string, Shape>>,
>(members: {
  readonly required: Required;
  readonly optional: Optional;
}): { readonly type: 'structure'; readonly required: Required; readonly optional: Optional } {
  return { type: 'structure', ...members };
}

export const boolean: BooleanShape = { type: 'boolean' };
export const timestamp: TimestampShape = { type: 'timestamp' };
export const map: MapShape = { type: 'map' };
