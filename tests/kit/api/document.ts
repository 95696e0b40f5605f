/** The OpenAPI document as tests use it: what each operation takes, and whether an answer is one that it declares. */
import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { openApiOf } from "../../../src/control/api/openapi.ts";
import { ROUTES } from "../../../src/control/api/routes.ts";
import type { Got } from "./ask.ts";

/** As a stranger reads it. */
export const DOCUMENT = JSON.parse(JSON.stringify(openApiOf(ROUTES)));

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query";
  readonly required: boolean;
  readonly schema: Schema;
}

const ajv = new Ajv2020({ strict: false }).addSchema(DOCUMENT, "api");

export class Operation {
  readonly method: string;
  /** "/v1/sessions/{id}" */
  readonly path: string;
  readonly roles: readonly string[];
  readonly parameters: readonly Parameter[];
  /** A JSON Schema. */
  readonly body?: Schema;
  readonly #takes: (body: unknown) => boolean;
  readonly #responses: Readonly<Record<string, Response>>;
  readonly #place: readonly string[];

  constructor(path: string, method: string, described: Described) {
    this.method = method.toUpperCase();
    this.path = path;
    this.roles = described["x-roles"];
    this.parameters = described.parameters ?? [];
    const body = described.requestBody?.content["application/json"].schema;
    if (body !== undefined) this.body = body;
    this.#takes = ajv.compile(body ?? { type: "object", maxProperties: 0 });
    this.#responses = described.responses;
    this.#place = ["paths", path, method, "responses"];
  }

  get name(): string {
    return `${this.method} ${this.path}`;
  }

  /** Whether a body is one that is declared; `{}` where none is. */
  takes(body: unknown): boolean {
    return this.#takes(body);
  }

  /** Throws unless the answer has a status, a media type and a shape that are declared. */
  check(got: Got): void {
    const { status, type, code, text } = got;
    const declared = this.#responses[status];
    assert.ok(declared !== undefined, `${this.name} answered with ${status} ${code}, which is not declared`);
    const [response, place] =
      declared.$ref === undefined
        ? [declared, this.#place]
        : [DOCUMENT.components.responses[status], ["components", "responses"]];
    assert.ok(Object.hasOwn(response.content, type), `${this.name} answered ${status} with ${type}`);
    const validate = ajv.getSchema(`api#${pointer([...place, String(status), "content", type, "schema"])}`);
    assert.ok(validate !== undefined);
    for (const value of valuesOf(got)) {
      assert.ok(validate(value), `${this.name} answered ${status}: ${ajv.errorsText(validate.errors)}\n${text}`);
    }
  }
}

export const OPERATIONS: readonly Operation[] = Object.entries<Record<string, Described>>(DOCUMENT.paths).flatMap(
  ([path, methods]) => Object.entries(methods).map(([method, described]) => new Operation(path, method, described)),
);

type Schema = Readonly<Record<string, unknown>>;

interface Described {
  readonly "x-roles": readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: { readonly "application/json": { readonly schema: Schema } } };
  readonly responses: Readonly<Record<string, Response>>;
}

interface Response {
  readonly $ref?: string;
  readonly content: object;
}

/** Of a stream: each line, of which there may be none, or the data of each event. */
function valuesOf({ type, text }: Got): readonly unknown[] {
  switch (type) {
    case "application/json":
      return [JSON.parse(text)];
    case "application/x-ndjson":
      return text
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    case "text/event-stream":
      return [...text.matchAll(/^data: (.*)$/gm)].map(([, data = ""]) => JSON.parse(data));
    default:
      return [text];
  }
}

/** A fragment with a JSON pointer. Source: RFC 6901, 6. */
function pointer(steps: readonly string[]): string {
  return steps.map((step) => `/${encodeURIComponent(step.replaceAll("~", "~0").replaceAll("/", "~1"))}`).join("");
}
