/** Whether a request is what its route takes, by the route's schemas. Never shows a value in an error. */
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { ApiFault } from "./faults.ts";
import type { Route } from "./route.ts";
import type { AnySchema } from "./schema.ts";
import { NOTHING } from "./shapes.ts";

// `verbose` gives errors their schema, for its words; `strictRequired` knows no keys of a schema around.
const ajv = new Ajv({ strict: true, strictRequired: false, allErrors: false, verbose: true });

export interface Checks {
  /** Gives parameters the types of their schemas. Throws API_QUERY_INVALID. */
  query(parameters: URLSearchParams): unknown;
  /** Throws API_BODY_INVALID. */
  body(value: unknown): unknown;
}

/** A route without a schema takes no parameters, and no body or `{}`. */
export function checksOf({ query = NOTHING, body = NOTHING }: Route): Checks {
  const [isQuery, isBody] = [ajv.compile(query), ajv.compile(body)];
  return {
    query(parameters) {
      const value = typed(parameters, query);
      if (!isQuery(value)) throw refusal("API_QUERY_INVALID", "the query", isQuery);
      return value;
    },
    body(value) {
      if (!isBody(value)) throw refusal("API_BODY_INVALID", "the body", isBody);
      return value;
    },
  };
}

/** Numbers where the schema says so and the text is one; the schema judges the rest. */
function typed(parameters: URLSearchParams, schema: AnySchema): Record<string, unknown> {
  const properties = schema["properties"] as Readonly<Record<string, AnySchema>>;
  const values = new Map<string, unknown>();
  for (const [name, text] of parameters) {
    if (values.has(name)) {
      throw new ApiFault(400, "API_QUERY_INVALID", "Cannot use the request: the query says a thing twice", REMEDY);
    }
    const isNumber = Object.hasOwn(properties, name) && properties[name]?.["type"] === "integer";
    values.set(name, isNumber && /^\d{1,15}$/.test(text) ? Number(text) : text);
  }
  return Object.fromEntries(values);
}

const REMEDY = "See docs/openapi.json: sallyport api";

/** Names the first key that is wrong. */
function refusal(code: string, whole: string, { errors }: ValidateFunction): ApiFault {
  const error = errors?.find(({ keyword }) => keyword === "oneOf") ?? errors?.[0];
  const key = error?.instancePath.slice(1).replaceAll("/", ".") ?? "";
  const words = error === undefined ? "is wrong" : inWords(error);
  return new ApiFault(400, code, `Cannot use the request: ${key === "" ? whole : key} ${words}`, REMEDY);
}

function inWords({ keyword, params, message, schema, parentSchema }: ErrorObject): string {
  switch (keyword) {
    case "pattern":
      return `must be ${parentSchema?.["description"]}`;
    case "additionalProperties":
      return `has a key that is not known: ${String(params["additionalProperty"]).slice(0, 64)}`;
    case "enum":
      return `must be one of ${(schema as string[]).join(", ")}`;
    case "oneOf":
      return `must have exactly one of ${(schema as { required: string[] }[]).flatMap(({ required }) => required).join(", ")}`;
    default:
      return message ?? "is wrong";
  }
}
