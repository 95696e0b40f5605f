/**
 * JSON Schemas that know the type of what they describe: requests are checked by them, and docs/openapi.json is made of them.
 * A schema of a type names every key of it, so that neither changes without the other. Checks nothing; see checks.ts.
 */

declare const TYPE: unique symbol;

/** Of JSON Schema 2020-12; `T` is what fits, no more and no less. */
export type Schema<T> = AnySchema & { readonly [TYPE]?: (value: T) => T };
export type AnySchema = Readonly<Record<string, unknown>>;

/** A key that may be absent. */
export interface Optional<T> {
  readonly optional: Schema<T>;
}

/** Every key of a type. */
export type Keys<T> = {
  readonly [K in keyof T]-?: Pick<T, K> extends Required<Pick<T, K>>
    ? Schema<T[K]>
    : Optional<Exclude<T[K], undefined>>;
};

type Of<S> = S extends Schema<infer T> ? T : never;

/** An object with these keys and no others. */
export function record<T extends object>(keys: Keys<T>): Schema<T> {
  const entries: [string, AnySchema | Optional<unknown>][] = Object.entries(keys);
  const isOptional = (value: AnySchema | Optional<unknown>): value is Optional<unknown> => "optional" in value;
  return {
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(entries.map(([key, value]) => [key, isOptional(value) ? value.optional : value])),
    required: entries.flatMap(([key, value]) => (isOptional(value) ? [] : [key])),
  };
}

/** A record that the document describes once, by this name. */
export function named<T extends object>(title: string, keys: Keys<T>): Schema<T> {
  return { title, ...record<T>(keys) };
}

/** A record that has exactly one of some keys. */
export function exactlyOne<T extends object>(keys: readonly (keyof T & string)[], schema: Schema<T>): Schema<T> {
  return { ...schema, oneOf: keys.map((key) => ({ required: [key] })) };
}

export function optional<T>(schema: Schema<T>): Optional<T> {
  return { optional: schema };
}

export function list<T>(items: Schema<T>, bounds: { minItems?: number; maxItems?: number } = {}): Schema<readonly T[]> {
  return { type: "array", ...bounds, items };
}

export function map<T>(
  values: Schema<T>,
  bounds: { maxProperties?: number } = {},
): Schema<Readonly<Record<string, T>>> {
  return { type: "object", ...bounds, additionalProperties: values };
}

export function text(bounds: { minLength?: number; maxLength?: number } = {}): Schema<string> {
  return { type: "string", ...bounds };
}

/** `description` is said where a text does not fit, for patterns are for machines. */
export function pattern(source: string, description: string): Schema<string> {
  return { type: "string", pattern: source, description };
}

export function choice<const T extends string>(...values: readonly T[]): Schema<T> {
  return { type: "string", enum: values };
}

export function integer(minimum: number, maximum?: number): Schema<number> {
  return { type: "integer", minimum, ...(maximum === undefined ? {} : { maximum }) };
}

export function union<S extends readonly AnySchema[]>(...anyOf: S): Schema<Of<S[number]>> {
  return { anyOf };
}

export const STRING = text();
export const BOOLEAN: Schema<boolean> = { type: "boolean" };
export const NUMBER: Schema<number> = { type: "number" };
export const NULL: Schema<null> = { type: "null" };
