/**
 * Shapes of the CloudWatch API's members. One description of each operation serves all three protocols: what differs between them is
 * how a shape is read and written, in query_form.ts, xml.ts, json.ts and cbor.ts.
 *
 * @source Amazon CloudWatch API Reference, members of each operation
 */

/** A text, in UTF-16 units. */
export interface TextShape {
  readonly type: 'text';
  readonly lengthMin: number;
  readonly lengthMax: number;
  readonly pattern: { readonly expression: RegExp; readonly shown: string } | null;
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

/** A floating-point number; not-a-number and the infinities are read, and refused by the operation. */
export interface NumberShape {
  readonly type: 'number';
}

export interface BooleanShape {
  readonly type: 'boolean';
}

export interface TimestampShape {
  readonly type: 'timestamp';
}

export interface ListShape<Member extends Shape = Shape> {
  readonly type: 'list';
  readonly member: Member;
  readonly lengthMax: number;
}

export interface StructureShape {
  readonly type: 'structure';
  readonly required: Readonly<Record<string, Shape>>;
  readonly optional: Readonly<Record<string, Shape>>;
}

export type Shape =
  TextShape | EnumShape | IntegerShape | NumberShape | BooleanShape | TimestampShape | ListShape | StructureShape;

/** What a value of a shape is after it was read, and before it is written. */
export type Value<S extends Shape> = S extends TextShape
  ? string
  : S extends EnumShape<infer One>
    ? One
    : S extends IntegerShape | NumberShape
      ? number
      : S extends BooleanShape
        ? boolean
        : S extends TimestampShape
          ? Date
          : S extends { readonly type: 'list'; readonly member: infer Member extends Shape }
            ? readonly Value<Member>[]
            : S extends {
                  readonly required: infer Required extends Readonly<Record<string, Shape>>;
                  readonly optional: infer Optional extends Readonly<Record<string, Shape>>;
                }
              ? { readonly [Name in keyof Required]: Value<Required[Name]> } & {
                  readonly [Name in keyof Optional]?: Value<Optional[Name]>;
                }
              : never;

/** A text of `min` to `max` UTF-16 units. */
export function text(min: number, max: number, pattern: TextShape['pattern'] = null): TextShape {
  return { type: 'text', lengthMin: min, lengthMax: max, pattern };
}

export function oneOf<const One extends string>(values: readonly One[]): EnumShape<One> {
  return { type: 'enum', values };
}

export function integer(min: number, max: number): IntegerShape {
  return { type: 'integer', min, max };
}

export function listOf<Member extends Shape>(member: Member, lengthMax: number): ListShape<Member> {
  return { type: 'list', member, lengthMax };
}

export function structure<
  const Required extends Readonly<Record<string, Shape>>,
  const Optional extends Readonly<Record<string, Shape>>,
>(
  required: Required,
  optional: Optional,
): { readonly type: 'structure'; readonly required: Required; readonly optional: Optional } {
  return { type: 'structure', required, optional };
}

/** The members of a structure, those that are required first. */
export function membersOf({ required, optional }: StructureShape): readonly (readonly [string, Shape])[] {
  return [...Object.entries(required), ...Object.entries(optional)];
}

export const number: NumberShape = { type: 'number' };
export const boolean: BooleanShape = { type: 'boolean' };
export const timestamp: TimestampShape = { type: 'timestamp' };
