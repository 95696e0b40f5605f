/** A JSON Schema's verdict in words for the person who wrote the file. Knows no meaning beyond the schema. */
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { nearest } from "../policy/nearest.ts";
import type { Finding, Path } from "./problems.ts";

/** Where a reference to a secret belongs. */
const SECRET_PLACES = ["password", "key", "headers", "url", "secret", "clientSecret"] as const;

/** Compiles a schema into a check that returns every finding, in the schema's order. */
export function compileCheck(schema: object): (data: unknown) => Finding[] {
  const validate = new Ajv({ strict: true, allErrors: true, verbose: true }).compile(schema);
  return (data) => findings(validate, data);
}

function findings(validate: ValidateFunction, data: unknown): Finding[] {
  if (validate(data)) return [];
  return (validate.errors ?? [])
    .filter(({ keyword }) => keyword !== "propertyNames" && keyword !== "if") // what lies below them is told by itself
    .map((error) => finding(error, data));
}

function finding(error: ErrorObject, data: unknown): Finding {
  const parent = pathOf(error.instancePath, data);
  if (error.propertyName !== undefined) {
    return at([...parent, error.propertyName], "key", `is not a good name here: it must be ${expected(error)}`);
  }
  switch (error.keyword) {
    case "additionalProperties":
      return unknownKey(error, parent);
    case "required":
      return at(parent, "value", `lacks the key "${error.params["missingProperty"]}"`);
    case "type":
      return at(parent, "value", `must be ${typeWord(String(error.params["type"]), error)}`);
    case "enum":
      return at(parent, "value", oneOf(error));
    case "minimum":
    case "maximum":
      return at(
        parent,
        "value",
        `must be ${error.keyword === "minimum" ? "at least" : "at most"} ${error.params["limit"]}`,
      );
    case "minItems":
      return at(parent, "value", "must have at least one entry");
    case "maxItems":
    case "maxProperties":
      return described(error) ?? at(parent, "value", `must have at most ${error.params["limit"]} entries`);
    case "minProperties":
      return described(error) ?? at(parent, "value", "must not be empty");
    case "uniqueItems":
      return at(parent, "value", "has the same entry twice");
    default:
      return at(parent, "value", `must be ${expected(error)}`);
  }

  function described(error: ErrorObject): Finding | undefined {
    const words = descriptionOf(error);
    return words === undefined ? undefined : at(parent, "value", `must be ${words}`);
  }
}

function unknownKey(error: ErrorObject, parent: Path): Finding {
  const key = String(error.params["additionalProperty"]);
  // Whoever wrote a secret in the place of a reference must not find it in a log.
  if (SECRET_PLACES.some((place) => parent.includes(place))) {
    return at(parent, "value", `has an unknown key: it must be ${descriptionOf(error) ?? "a reference"}`);
  }
  const known = Object.keys((error.parentSchema as { properties?: object }).properties ?? {});
  const meant = nearest(key, known);
  const help = meant === undefined ? `known here: ${known.join(", ")}` : `did you mean "${meant}"?`;
  return at([...parent, key], "key", `is not a known key; ${help}`);
}

function oneOf(error: ErrorObject): string {
  const allowed: readonly string[] = error.params["allowedValues"];
  const meant = typeof error.data === "string" ? nearest(error.data, allowed) : undefined;
  const hint = meant === undefined ? "" : `; did you mean "${meant}"?`;
  return `must be one of ${allowed.map((value) => `"${value}"`).join(", ")}${hint}`;
}

function typeWord(type: string, error: ErrorObject): string {
  switch (type) {
    case "object":
      return descriptionOf(error) ?? "a mapping (key: value)";
    case "array":
      return "a list (- entry)";
    case "integer":
      return "a whole number";
    case "string":
      return typeof error.data === "object" ? "a text" : "a text; quote it";
    default:
      return `a ${type}`;
  }
}

function expected(error: ErrorObject): string {
  return descriptionOf(error) ?? "written differently (docs/settings.md)";
}

function descriptionOf(error: ErrorObject): string | undefined {
  return (error.parentSchema as { description?: string } | undefined)?.description;
}

function at(path: Path, place: Finding["at"], message: string): Finding {
  return { path, at: place, message };
}

/** A JSON Pointer as steps; a step is an index exactly where the data has a list. */
function pathOf(pointer: string, data: unknown): Path {
  const path: (string | number)[] = [];
  let current = data;
  for (const raw of pointer.split("/").slice(1)) {
    const step = raw.replaceAll("~1", "/").replaceAll("~0", "~");
    path.push(Array.isArray(current) ? Number(step) : step);
    current = (current as Record<string, unknown> | undefined)?.[step];
  }
  return path;
}
