/** A YAML text as plain data that still knows its lines. Shows no excerpt of the text in its errors. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";
import { type Path, SettingsError, type SettingsProblem } from "./problems.ts";

/** How often anchors may be repeated: settings share a block or two, a bomb repeats millions. */
const ALIASES_MAX = 100;
const UNRESOLVED_ALIAS = "an alias (*name) has no anchor (&name) before it; quote a text that begins with *";

export interface SettingsDocument {
  readonly data: unknown;
  /** Where a key or a value stands; the nearest parent that has a place otherwise. */
  placeOf(path: Path, at: "key" | "value"): { readonly line: number; readonly column: number };
}

/** Throws SettingsError with every syntax error. An empty text is an empty mapping. */
export function parseSettingsDocument(text: string, file: string): SettingsDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: "1.2", merge: false });
  const placeAt = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const faults = [...document.errors, ...document.warnings].map((error) => ({
    ...placeAt(error.pos[0]),
    message: sentenceFor(error),
  }));
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return;
      faults.push({ ...placeAt(startOf(alias) ?? 0), message: UNRESOLVED_ALIAS });
    },
  });
  if (faults.length > 0)
    throw new SettingsError(
      file,
      faults.map((fault) => problem(file, fault)),
    );
  return {
    data: plain(document, file) ?? {},
    placeOf: (path, at) => placeAt(offsetOf(document, path, at)),
  };
}

function plain(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (cause) {
    const message = `must not repeat anchors more than ${ALIASES_MAX} times`;
    const error = new SettingsError(file, [problem(file, { line: 1, column: 1, message })]);
    error.cause = cause;
    throw error;
  }
}

function problem(file: string, at: { line: number; column: number; message: string }): SettingsProblem {
  return { file, ...at, key: "" };
}

/** The library's own messages quote the text; a secret may stand there. */
function sentenceFor(error: YAMLError): string {
  switch (error.code) {
    case "DUPLICATE_KEY":
      return "this key stands twice in the same mapping";
    case "BAD_INDENT":
      return "this line is indented wrongly, or a bracket before it is not closed";
    case "TAB_AS_INDENT":
      return "a tab is used to indent; use spaces";
    case "MULTIPLE_DOCS":
      return "a second document begins here; one file holds one";
    case "BAD_ALIAS":
      return UNRESOLVED_ALIAS;
    case "TAG_RESOLVE_FAILED":
      return "an unknown tag (!name) stands here; quote a text that begins with !";
    case "BAD_SCALAR_START":
      return "a text begins with a character that YAML reserves; quote it";
    case "BAD_DQ_ESCAPE":
      return "a text in double quotes has an unknown escape; use single quotes or double the backslash";
    case "MISSING_CHAR":
      return "something is not closed here: a quote, a bracket, or a space behind a colon";
    default:
      return `this is not valid YAML (${error.code.toLowerCase().replaceAll("_", " ")})`;
  }
}

function offsetOf(document: Document, path: Path, at: "key" | "value"): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, step] of path.entries()) {
    const container: unknown = isAlias(node) ? node.resolve(document) : node;
    const last = index === path.length - 1;
    if (isMap(container)) {
      const pair = container.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) return offset;
      const keyOffset = startOf(pair.key) ?? offset;
      offset = last && at === "key" ? keyOffset : (startOf(pair.value) ?? keyOffset);
      node = pair.value;
    } else if (isSeq(container)) {
      node = container.items[Number(step)];
      offset = startOf(node) ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? ((node as Node).range?.[0] ?? undefined) : undefined;
}
