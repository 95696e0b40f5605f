/** How COPY TO writes its rows, by its options. Source: manual, COPY. */
import { type Ast, as, isAst, list, text } from "./ast.ts";

export interface CopyForm {
  readonly format: "text" | "csv" | "binary";
  readonly header: boolean;
  /** One byte each. */
  readonly delimiter: number;
  readonly quote: number;
  readonly escaping: number;
  /** What stands for NULL. */
  readonly nullText: string;
}

/**
 * Undefined: an option that this version does not know, a value that is not plain, or a NULL that cannot be told from a
 * value: the text form writes both alike (csv puts the value in quotes).
 */
export function copyForm(body: Ast): CopyForm | undefined {
  const options = new Map<string, string | true>();
  for (const item of list(body["options"])) {
    const option = as(item, "DefElem");
    const name = text(option?.["defname"]);
    if (!KNOWN.has(name) || options.has(name)) return undefined;
    if (name === "force_quote") continue;
    const value = valueIn(option?.["arg"]);
    if (value === undefined) return undefined;
    options.set(name, value);
  }
  const format = options.get("format") ?? "text";
  if (format !== "text" && format !== "csv" && format !== "binary") return undefined;
  const isCsv = format === "csv";
  const delimiter = byteOf(options.get("delimiter") ?? (isCsv ? "," : "\t"));
  const quote = byteOf(options.get("quote") ?? '"');
  const escaping = byteOf(options.get("escape") ?? options.get("quote") ?? '"');
  const nullText = options.get("null") ?? (isCsv ? "" : "\\N");
  const header = HEADER.get(String(options.get("header") ?? false));
  const encoding = options.get("encoding");
  if (delimiter === undefined || quote === undefined || escaping === undefined || header === undefined)
    return undefined;
  if (typeof nullText !== "string" || encoding !== undefined) return undefined;
  if (format === "text" && nullText !== "\\N" && nullText !== "") return undefined;
  return { format, header, delimiter, quote, escaping, nullText };
}

const KNOWN: ReadonlySet<string> = new Set([
  ...["format", "delimiter", "null", "header", "quote", "escape", "force_quote", "encoding", "freeze"],
]);
const HEADER: ReadonlyMap<string, boolean> = new Map([
  ...(["true", "on", "1", "match"] as const).map((word) => [word, true] as const),
  ...(["false", "off", "0"] as const).map((word) => [word, false] as const),
]);

function byteOf(value: string | true): number | undefined {
  return typeof value === "string" && value.length === 1 && value.charCodeAt(0) < 128 ? value.charCodeAt(0) : undefined;
}

/** An option without a value is switched on. */
function valueIn(arg: unknown): string | true | undefined {
  if (arg === undefined) return true;
  const word = as(arg, "String")?.["sval"];
  if (as(arg, "String") !== undefined) return text(word);
  const integer = as(arg, "Integer");
  if (integer !== undefined) return String(integer["ival"] ?? 0);
  const flag = as(arg, "Boolean");
  if (isAst(flag)) return String(flag["boolval"] === true);
  return undefined;
}
