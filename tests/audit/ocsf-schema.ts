/** Checks an event against the part of the published OCSF schema in ocsf-1.6.0.json. Unknown attributes are faults, too. */
import { readFileSync } from "node:fs";

interface Shape {
  readonly required: readonly string[];
  readonly constraints?: { readonly at_least_one?: readonly string[]; readonly just_one?: readonly string[] };
  readonly enums: Readonly<Record<string, readonly (string | number)[]>>;
  /** Attribute to object, "[]" behind a list's. */
  readonly objects: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, readonly string[]>>;
}

interface Schema {
  readonly version: string;
  readonly source: string;
  readonly classes: Readonly<Record<string, Shape & { readonly class_uid: number }>>;
  readonly objects: Readonly<Record<string, Shape>>;
}

export const SCHEMA = JSON.parse(readFileSync(new URL("ocsf-1.6.0.json", import.meta.url), "utf8")) as Schema;

type Value = Readonly<Record<string, unknown>>;

/** What is wrong with it, each with its path. */
export function ocsfFaults(event: Value): readonly string[] {
  const found = Object.values(SCHEMA.classes).find(({ class_uid: uid }) => uid === event["class_uid"]);
  if (found === undefined) return [`class_uid: ${event["class_uid"]} is no class of the schema`];
  const version = (event["metadata"] as Value | undefined)?.["version"];
  return [
    ...(version === SCHEMA.version ? [] : [`metadata.version: ${version}`]),
    ...(event["type_uid"] === Number(event["class_uid"]) * 100 + Number(event["activity_id"]) ? [] : ["type_uid"]),
    ...faults(event, found, ""),
  ];
}

function faults(value: Value, shape: Shape, path: string): readonly string[] {
  const { at_least_one: some, just_one: one } = shape.constraints ?? {};
  const has = (name: string) => value[name] !== undefined;
  return [
    ...shape.required.filter((name) => !has(name)).map((name) => `${path}${name}: is required`),
    ...(some?.some(has) === false ? [`${path}: needs one of ${some.join(", ")}`] : []),
    ...(one !== undefined && one.filter(has).length !== 1 ? [`${path}: needs just one of ${one.join(", ")}`] : []),
    ...Object.entries(value).flatMap(([name, own]) => faultsOf(name, own, shape, path)),
  ];
}

function faultsOf(name: string, value: unknown, shape: Shape, path: string): readonly string[] {
  const at = `${path}${name}`;
  const allowed = shape.enums[name];
  if (allowed !== undefined)
    return allowed.includes(value as string) ? [] : [`${at}: ${value} is not in the enumeration`];
  const object = shape.objects[name];
  if (object !== undefined) {
    if (object === "object") return typeof value === "object" ? [] : [`${at}: is no object`];
    const inner = SCHEMA.objects[object.replace("[]", "")];
    const list = object.endsWith("[]") ? (value as readonly Value[]) : [value as Value];
    if (inner === undefined || !Array.isArray(list)) return [`${at}: is not ${object}`];
    return list.flatMap((one) => faults(one, inner, `${at}.`));
  }
  for (const [type, names] of Object.entries(shape.values)) {
    if (names.includes(name)) return isA(type, value) ? [] : [`${at}: is no ${type}`];
    if (names.includes(`${name}[]`)) {
      return Array.isArray(value) && value.every((one) => isA(type, one)) ? [] : [`${at}: is no list of ${type}`];
    }
  }
  return [`${at}: is no attribute of the schema`];
}

function isA(type: string, value: unknown): boolean {
  if (type === "any") return true;
  return type === "integer" ? Number.isSafeInteger(value) : typeof value === type;
}
