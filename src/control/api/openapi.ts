/** The API as an OpenAPI document, made of what the server checks by. Source: OpenAPI Specification 3.1.0. */
import type { Gives, Route } from "./route.ts";
import { type AnySchema, named, record, STRING } from "./schema.ts";
import { NOTHING, STEP } from "./shapes.ts";

const ERROR = named<{ error: { code: string; message: string; remedy: string } }>("Error", {
  error: record<{ code: string; message: string; remedy: string }>({ code: STRING, message: STRING, remedy: STRING }),
});

/** Any route may give these; docs/errors.md has the codes. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: "The request is not what the route takes",
  401: "What was shown is nobody's, or over",
  403: "The caller may not do this",
  404: "There is no such thing",
  413: "The body is too large",
  415: "The body is not JSON",
  422: "It cannot be done",
  429: "Too fast; the header Retry-After says when to ask again",
  500: "A fault of the daemon",
  503: "Not now",
};

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  /** Any of them does. */
  readonly "x-roles": readonly string[];
  readonly parameters?: readonly object[];
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, object>>;
}

export interface OpenApi {
  readonly openapi: string;
  readonly info: object;
  /** By path, then by method in lower case. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly security: readonly object[];
  readonly components: {
    readonly securitySchemes: object;
    readonly schemas: Readonly<Record<string, AnySchema>>;
    readonly responses: object;
  };
}

export function openApiOf(routes: readonly Route[]): OpenApi {
  const schemas = new Map<string, AnySchema>();
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route, schemas);
  }
  const refusal = { "application/json": { schema: hoisted(ERROR, schemas) } };
  return {
    openapi: "3.1.0",
    info: {
      title: "Sallyport",
      version: "1",
      description:
        "Spoken over a Unix socket, where the kernel says who asks, and over TLS where the settings want it. Any of `x-roles` may ask. " +
        "Of a stream, the schema is that of one line or of one event's data.",
    },
    // On the Unix socket a user of the host may be enough; over TLS something has to be shown.
    security: [{}, { bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1))),
      responses: Object.fromEntries(
        Object.entries(REFUSALS).map(([status, description]) => [status, { description, content: refusal }]),
      ),
    },
  };
}

function operationOf(route: Route, schemas: Map<string, AnySchema>): Operation {
  const { method, path, summary, roles, query = NOTHING, body, gives } = route;
  const [, , subject = "", ...rest] = path.split("/");
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: "path", required: true, schema: STEP })),
    ...Object.entries(query["properties"] as Readonly<Record<string, AnySchema>>).map(([name, schema]) => ({
      ...{ name, in: "query", required: (query["required"] as string[]).includes(name) },
      schema,
    })),
  ];
  return {
    operationId: [method.toLowerCase(), subject, ...rest].join("-").replaceAll(/[^a-z-]/gi, ""),
    summary,
    tags: [subject.replace(/\..*/, "")],
    "x-roles": roles,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: isNeeded(body),
            content: { "application/json": { schema: hoisted(body, schemas) } },
          },
        }),
    responses: {
      200: { description: summary, content: { [gives.type]: { schema: schemaOf(gives, schemas) } } },
      ...Object.fromEntries(
        Object.keys(REFUSALS).map((status) => [status, { $ref: `#/components/responses/${status}` }]),
      ),
    },
  };
}

/** Whether no body, which counts as `{}`, is too little. */
function isNeeded(body: AnySchema): boolean {
  const required = body["required"];
  return "oneOf" in body || "else" in body || (Array.isArray(required) && required.length > 0);
}

function schemaOf(gives: Gives, schemas: Map<string, AnySchema>): unknown {
  if ("schema" in gives) return hoisted(gives.schema, schemas);
  return gives.kind === "text" ? { type: "string" } : {};
}

/** Described once, and referred to, where it has a title. */
function hoisted(schema: unknown, schemas: Map<string, AnySchema>): unknown {
  if (Array.isArray(schema)) return schema.map((one) => hoisted(one, schemas));
  if (typeof schema !== "object" || schema === null) return schema;
  const { title, ...rest } = schema as AnySchema;
  const named = typeof title === "string";
  const inner = Object.fromEntries(
    Object.entries(named ? rest : schema).map(([key, value]) => [key, hoisted(value, schemas)]),
  );
  if (!named) return inner;
  schemas.set(title, inner);
  return { $ref: `#/components/schemas/${title}` };
}
