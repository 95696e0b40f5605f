/** The OpenAPI document as tests use it: what each operation takes, and whether an answer is one that it declares. */
import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { openApiOf } from "../../src/control/api/openapi.ts";
import { ROUTES } from "../../src/control/api/routes.ts";
import type { Got } from "./ask.ts";

/** As a stranger reads it. */
export const DOCUMENT = JSON.parse(JSON.stringify(openApiOf(ROUTES)));

export interface Operation {
  readonly method: string;
  /** "/v1/sessions/{id}" */
  readonly path: string;
  readonly roles: readonly string[];
  readonly parameters: readonly Parameter[];
  /** A JSON Schema. */
  readonly body?: object;
  /** Throws unless the answer has a status, a media type and a shape that are declared. */
  check(got: Got): void;
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query";
  readonly required: boolean;
  readonly schema: object;
}

const ajv = new Ajv2020({ strict: false }).addSchema(DOCUMENT, "api");

export const OPERATIONS: readonly Operation[] = Object.entries<Record<string, never>>(DOCUMENT.paths).flatMap(
  ([path, methods]) =>
    Object.entries<Record<string, never>>(methods).map(([method, operation]) => {
      const body = operation["requestBody"]?.["content"]["application/json"]["schema"];
      const [name, place] = [`${method.toUpperCase()} ${path}`, ["paths", path, method, "responses"]];
      return {
        ...{ method: method.toUpperCase(), path, roles: operation["x-roles"] ?? [] },
        parameters: operation["parameters"] ?? [],
        ...(body === undefined ? {} : { body }),
        check: (got) => check(name, place, operation["responses"] ?? {}, got),
      };
    }),
);

function check(name: string, place: readonly string[], responses: Record<string, Response>, got: Got): void {
  const declared = responses[got.status];
  assert.ok(declared !== undefined, `${name} answered with ${got.status} ${got.code}, which is not declared`);
  const [response, there] =
    declared.$ref === undefined
      ? [declared, [...place, String(got.status)]]
      : [DOCUMENT.components.responses[got.status], ["components", "responses", String(got.status)]];
  assert.ok(Object.hasOwn(response.content, got.type), `${name} answered ${got.status} with ${got.type}`);
  const validate = ajv.getSchema(`api#${pointer([...there, "content", got.type, "schema"])}`);
  assert.ok(validate !== undefined);
  for (const value of valuesOf(got)) {
    assert.ok(validate(value), `${name} answered ${got.status}: ${ajv.errorsText(validate.errors)}\n${got.text}`);
  }
}

interface Response {
  readonly $ref?: string;
  readonly content: object;
}

/** Of a stream: each line, or the data of each event. */
function valuesOf({ type, text }: Got): readonly unknown[] {
  switch (type) {
    case "application/json":
      return [JSON.parse(text)];
    case "application/x-ndjson":
      return text
        .trimEnd()
        .split("\n")
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
