/**
 * What changing a setting means: harmless, a change of the session, or forbidden because the server
 * would from then on read another text than the parser. Never looks at more than the statement.
 */
import { HARMLESS_SETTINGS, isHarmlessEncoding } from "../harmless.ts";
import { type Ast, as, isAst, list, text } from "./ast.ts";

export type SettingChange =
  | { readonly kind: "harmless" }
  | { readonly kind: "session" }
  | { readonly kind: "forbidden"; readonly message: string };

const HARMLESS: SettingChange = { kind: "harmless" };
const SESSION: SettingChange = { kind: "session" };

/** They decide how the server reads a text; only the value that the parser assumes is let through. */
const READING: ReadonlySet<string> = new Set([
  "standard_conforming_strings",
  "backslash_quote",
  "client_encoding",
  "escape_string_warning",
  "transform_null_equals",
]);
const ON: ReadonlySet<string> = new Set(["on", "true", "yes", "1", "t", "y"]);

/**
 * What pg_dump sets for whichever row of pg_settings has a name, so that older servers set nothing. Whatever the name turns out
 * to be: none of the settings above takes these values.
 */
const VALUES_OF_OTHERS: ReadonlySet<string> = new Set(["view, foreign-table", "view"]);

/** A VariableSetStmt's body, wherever it stands (SET, ALTER ROLE … SET, CREATE FUNCTION … SET). */
export function judgeVariableSet(body: Ast): SettingChange {
  const name = text(body["name"]);
  switch (body["kind"]) {
    case "VAR_RESET_ALL":
      return SESSION;
    case "VAR_SET_MULTI":
      return name === "TRANSACTION" || name === "SESSION CHARACTERISTICS" ? HARMLESS : SESSION;
    case "VAR_SET_VALUE": {
      const values = list(body["args"]);
      return judgeSetting(name, values.length === 1 ? constantText(values[0]) : undefined);
    }
    case "VAR_RESET":
    case "VAR_SET_DEFAULT":
      // What every login asks for, and no setting of a role, a database or the server can change.
      if (name.toLowerCase() === "client_encoding") return HARMLESS;
      return judgeSetting(name, undefined);
    default:
      return judgeSetting(name, undefined);
  }
}

/** A call of set_config(name, value, is_local). */
export function judgeSetConfig(call: Ast): SettingChange {
  const [name, value] = list(call["args"]);
  const constant = constantText(name);
  if (constant === undefined) {
    if (VALUES_OF_OTHERS.has(constantText(value) ?? "")) return SESSION;
    return { kind: "forbidden", message: "set_config needs the name of the setting as a plain constant" };
  }
  return judgeSetting(constant, constantText(value));
}

/** `value` is undefined for DEFAULT, RESET, FROM CURRENT and whatever is not one constant. */
function judgeSetting(rawName: string, value: string | undefined): SettingChange {
  // PostgreSQL compares names of settings without case.
  const name = rawName.toLowerCase();
  if (READING.has(name)) {
    if (value !== undefined) {
      if (name === "standard_conforming_strings" && ON.has(value.toLowerCase())) return HARMLESS;
      if (name === "client_encoding" && isHarmlessEncoding(value)) return HARMLESS;
    }
    return {
      kind: "forbidden",
      message: `${name} may not be changed: the server would read statements differently from the policy`,
    };
  }
  return HARMLESS_SETTINGS.has(name) ? HARMLESS : SESSION;
}

function constantText(value: unknown): string | undefined {
  const constant = as(value, "A_Const") ?? as(as(value, "TypeCast")?.["arg"], "A_Const");
  if (constant === undefined) return undefined;
  const { sval, ival, fval, boolval } = constant;
  if (isAst(sval)) return text(sval["sval"]);
  if (isAst(ival)) return String(ival["ival"] ?? 0);
  if (isAst(fval)) return text(fval["fval"]);
  if (isAst(boolval)) return boolval["boolval"] === true ? "true" : "false";
  return undefined;
}

/** "set-role", "set-search-path" and the like for the settings that policies want to tell apart. */
export function kindOfSet(body: Ast): string {
  const name = text(body["name"]).toLowerCase();
  if (body["kind"] === "VAR_RESET_ALL") return "reset-all";
  return name === "role" || name === "session_authorization" || name === "search_path" || name === "row_security"
    ? `set-${name.replaceAll("_", "-")}`
    : "set";
}
