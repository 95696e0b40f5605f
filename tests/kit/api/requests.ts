/** Requests made from the OpenAPI document itself: such as it allows, such as it almost allows, and hostile ones. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Sent } from "./ask.ts";
import type { Operation } from "./document.ts";

export interface Request {
  readonly operation: Operation;
  readonly path: string;
  readonly sent: Sent;
  /** Whether the document allows it; undefined: it does not say. */
  readonly allowed: boolean | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/** Names that a daemon may know, by the name of the parameter or key. */
export type Known = Readonly<Record<string, readonly string[]>>;

export class Requests {
  readonly #known: Known;

  constructor(known: Known) {
    this.#known = known;
  }

  /** Such as the document allows. */
  allowed(operation: Operation): fc.Arbitrary<Request> {
    const { method, parameters, body } = operation;
    return fc
      .record({
        parameters: fc.tuple(...parameters.map((one) => this.#parameter(one))),
        body: body === undefined ? fc.constantFrom(undefined, {}) : this.value(body),
      })
      .map(({ parameters: texts, body: value }) => ({
        operation,
        path: addressed(operation, texts),
        sent: { method, ...withBody(value === undefined ? undefined : JSON.stringify(value)) },
        allowed: true,
      }));
  }

  /** With one thing changed. What became of the body the document judges. */
  almost(operation: Operation): fc.Arbitrary<Request> {
    return fc
      .tuple(this.allowed(operation), fc.constantFrom(...CHANGES), fc.nat(), JUNK)
      .map(([request, change, at, junk]) => ({
        ...request,
        allowed: undefined,
        ...change(request, at, junk),
      }));
  }

  /** Anything at all in the places of paths, queries, headers and bodies. */
  hostile(operation: Operation): fc.Arbitrary<Request> {
    const { method } = operation;
    const step = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.constantFrom("..", ".", "%00", "__proto__", "%ff", "a".repeat(200)),
    );
    return fc
      .record({
        steps: fc.array(step, { minLength: 5, maxLength: 5 }),
        query: fc.string({ unit: "binary", maxLength: 60 }),
        method: fc.constantFrom(method, method, "GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"),
        type: fc.constantFrom(
          "application/json",
          "application/json; charset=utf-16",
          "text/plain",
          "multipart/form-data",
        ),
        body: fc.oneof(
          fc.uint8Array({ maxLength: 200 }).map(Buffer.from),
          fc.json().map(Buffer.from),
          fc.constantFrom(...BOMBS),
        ),
      })
      .map(({ steps, query, method: asked, type, body }) => ({
        operation,
        path: `${operation.path.replaceAll(/\{\w+\}/g, () => encode(steps.pop() ?? ""))}${query === "" ? "" : `?${encode(query)}`}`,
        sent: { method: asked, body, headers: { "content-type": type, "content-length": String(body.length) } },
        allowed: undefined,
      }));
  }

  #parameter({ name, required, schema }: Operation["parameters"][number]): fc.Arbitrary<string | undefined> {
    const text = this.value(schema, name).map(String);
    return required ? text : fc.option(text, { nil: undefined });
  }

  /** A value that fits a schema of the kinds that src/control/api/schema.ts makes. */
  value(schema: Json, name = ""): fc.Arbitrary<unknown> {
    if ("const" in schema) return fc.constant(schema["const"]);
    if ("enum" in schema) return fc.constantFrom(...(schema["enum"] as string[]));
    if ("if" in schema) return fc.oneof(this.value(schema["then"] as Json), this.value(schema["else"] as Json));
    switch (schema["type"]) {
      case "string":
        return this.#text(schema, name);
      case "integer":
        return fc.integer({ min: Number(schema["minimum"]), max: Number(schema["maximum"] ?? 2 ** 31) });
      case "boolean":
        return fc.boolean();
      case "array": {
        const { minItems = 0, maxItems = 3 } = schema as { minItems?: number; maxItems?: number };
        const bounds = { minLength: minItems, maxLength: Math.min(maxItems, 3) };
        const item = this.value(schema["items"] as Json, name);
        return schema["uniqueItems"] === true ? fc.uniqueArray(item, bounds) : fc.array(item, bounds);
      }
      case "object":
        return this.#object(schema);
      default:
        return assert.fail(`no value for ${JSON.stringify(schema)}`);
    }
  }

  #text(
    { pattern, minLength = 0, maxLength = 1_000 }: { pattern?: string; minLength?: number; maxLength?: number },
    name: string,
  ) {
    const any =
      pattern === undefined
        ? fc.string({ unit: "binary", minLength, maxLength: Math.min(maxLength, 64) })
        : fc.stringMatching(new RegExp(pattern));
    const known = this.#known[name];
    return known === undefined ? any : fc.oneof(fc.constantFrom(...known), any);
  }

  #object(schema: Json): fc.Arbitrary<unknown> {
    const {
      properties = {},
      required = [],
      additionalProperties,
      oneOf,
    } = schema as {
      properties?: Readonly<Record<string, Json>>;
      required?: readonly string[];
      additionalProperties?: Json | boolean;
      oneOf?: readonly { readonly required: readonly string[] }[];
    };
    if (typeof additionalProperties === "object")
      return fc.dictionary(fc.string(), this.value(additionalProperties), { maxKeys: 3 });
    const either = oneOf?.flatMap((one) => one.required) ?? [];
    const keys = Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, this.value(value, key)]));
    const of = (only?: string) => {
      const left = Object.fromEntries(Object.entries(keys).filter(([key]) => key === only || !either.includes(key)));
      return fc.record(left, { requiredKeys: [...required, ...(only === undefined ? [] : [only])] });
    };
    return either.length === 0 ? of() : fc.oneof(...either.map(of));
  }
}

type Change = (request: Request, at: number, junk: unknown) => Partial<Request>;

const CHANGES: readonly Change[] = [
  // A key less, or one that nobody knows, or something else in the place of one.
  ({ sent }, at) =>
    changed(sent, (body) => Object.fromEntries(Object.entries(body).filter((_, index) => index !== at % 3))),
  ({ sent }, at, junk) => changed(sent, (body) => ({ ...body, [`key${at}`]: junk })),
  ({ sent }, at, junk) =>
    changed(sent, (body) =>
      Object.fromEntries(Object.entries(body).map(([key, value], index) => [key, index === at % 3 ? junk : value])),
    ),
  ({ sent }, _, junk) => changed(sent, () => junk),
  ({ sent }, at) => ({ sent: { ...sent, ...withBody(String(sent.body ?? "{}").slice(0, at % 40)) } }),
  ({ sent }) => ({ sent: { ...sent, headers: { ...sent.headers, "content-type": "text/plain" } } }),
  ({ path }, at, junk) => ({
    path: `${path}${path.includes("?") ? "&" : "?"}q${at % 3}=${encode(JSON.stringify(junk))}`,
    allowed: false,
  }),
  ({ path }, _, junk) => ({
    path: path.includes("=") ? path.replace(/=[^&]*/, () => `=${encode(JSON.stringify(junk))}`) : path,
  }),
  ({ path, allowed }) => (path.includes("?") ? { path: `${path}&${path.split("?")[1]}`, allowed: false } : { allowed }),
];

const JUNK: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    null,
    true,
    -1,
    0,
    1.5,
    1e308,
    "",
    "x".repeat(5_000),
    [],
    {},
    [[[[]]]],
    { a: { b: {} } },
    "__proto__",
  ),
  fc.string({ unit: "binary" }),
  fc.jsonValue({ maxDepth: 3 }),
);

const BOMBS: readonly Buffer[] = [
  Buffer.from("[".repeat(50_000)),
  Buffer.from(`${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`),
  Buffer.from('{"__proto__":{"admin":true},"constructor":{"prototype":{}}}'),
  Buffer.from('{"agent":"ci","agent":"root"}'),
  Buffer.from("\ufeff{}"),
  Buffer.from("1e999"),
  Buffer.alloc(64 * 1024, "9"),
];

function changed(sent: Sent, change: (body: Json) => unknown): Partial<Request> {
  const body = JSON.stringify(change(JSON.parse(String(sent.body ?? "{}"))));
  return { sent: { ...sent, ...withBody(body) } };
}

/** Also where a method has none as a rule. */
function withBody(body: string | undefined): Pick<Sent, "body" | "headers"> {
  if (body === undefined) return {};
  return { body, headers: { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) } };
}

function addressed({ path, parameters }: Operation, texts: readonly (string | undefined)[]): string {
  let address = path;
  const query = new URLSearchParams();
  for (const [index, { name, in: where }] of parameters.entries()) {
    const text = texts[index];
    if (where === "path") address = address.replace(`{${name}}`, encode(text ?? ""));
    else if (text !== undefined) query.set(name, text);
  }
  return query.size === 0 ? address : `${address}?${query}`;
}

/** Lone surrogates have no form in a URL. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
