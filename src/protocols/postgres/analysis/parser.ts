/**
 * PostgreSQL's own grammar, as WebAssembly: text in, raw parse trees out. Refuses what the server would
 * read differently or what costs out of proportion; never interprets a tree.
 *
 * We instantiate the module ourselves instead of through libpg-query's `parseSync`: after a stack
 * overflow inside it the instance's own stack pointer is lost and must not be used again, and its
 * memory only grows. So there is always a spare.
 */
import createModule, { type PgQueryModule } from "libpg-query/wasm/libpg-query.js";
import { STATEMENT_BYTES_MAX } from "../../../base/limits.ts";
import type { Ast } from "./ast.ts";

export interface ParsedStatement {
  readonly tree: Ast;
  /** With the blanks and comments in front of it and without its semicolon. */
  readonly text: string;
}

export type Parsed =
  | { readonly kind: "statements"; readonly statements: readonly ParsedStatement[] }
  /** For the agent; names no literal. */
  | { readonly kind: "refused"; readonly message: string };

/** An instance that made a tree of more characters is replaced: the memory it used never shrinks again. */
const TREE_CHARACTERS_MAX = 8 * 1024 * 1024;
/**
 * Characters of one run of operator characters. The scanner looks at the whole run again for each
 * operator or nested comment in it: 400 KB of them took 67 s.
 */
const OPERATOR_RUN_MAX = 512;

const OPERATOR_CHARACTERS = new Uint8Array(128);
for (const character of "+-*/<>=~!@#%^&|`?") OPERATOR_CHARACTERS[character.charCodeAt(0)] = 1;

export class Parser {
  readonly #ready: PgQueryModule[] = [];
  #building: Promise<void> | undefined;

  /** Loads an instance and a spare. */
  async prepare(): Promise<void> {
    while (this.#ready.length < 2) {
      this.#ready.push(await createModule());
    }
  }

  /** Never throws. */
  parse(text: string): Parsed {
    const refusal = refuseText(text);
    if (refusal !== undefined) return { kind: "refused", message: refusal };
    const module = this.#ready[0];
    if (module === undefined) {
      this.#replenish();
      return { kind: "refused", message: "the parser is being restarted, try again" };
    }
    let outcome: string | SyntaxFault;
    try {
      outcome = parseRaw(module, text);
    } catch {
      this.#retire();
      return { kind: "refused", message: "the statement is too deeply nested or too large to parse" };
    }
    if (typeof outcome !== "string") return { kind: "refused", message: `syntax error at byte ${outcome.atByte}` };
    if (outcome.length > TREE_CHARACTERS_MAX) this.#retire();
    try {
      return { kind: "statements", statements: statementsOf(JSON.parse(outcome), text) };
    } catch {
      return { kind: "refused", message: "the parser's answer was not understood" };
    }
  }

  #retire(): void {
    this.#ready.shift();
    this.#replenish();
  }

  #replenish(): void {
    if (this.#building !== undefined) return;
    this.#building = this.prepare()
      .catch(() => undefined)
      .then(() => {
        this.#building = undefined;
      });
  }
}

interface SyntaxFault {
  readonly atByte: number;
}

function refuseText(text: string): string | undefined {
  // UTF-8 is at most three bytes a UTF-16 unit, so most texts need no exact count.
  if (text.length * 3 > STATEMENT_BYTES_MAX && Buffer.byteLength(text) > STATEMENT_BYTES_MAX) {
    return `the text is longer than ${STATEMENT_BYTES_MAX} bytes`;
  }
  if (text.includes("\0")) return "the text holds a NUL byte";
  if (!text.isWellFormed()) return "the text is not valid Unicode";
  if (text.length > OPERATOR_RUN_MAX && hasLongOperatorRun(text)) {
    return `the text holds a run of more than ${OPERATOR_RUN_MAX} operator or comment characters`;
  }
  return undefined;
}

function hasLongOperatorRun(text: string): boolean {
  let run = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    run = code < 128 && OPERATOR_CHARACTERS[code] === 1 ? run + 1 : 0;
    if (run > OPERATOR_RUN_MAX) return true;
  }
  return false;
}

/** The parse tree as JSON, or where the syntax is wrong. Throws when the instance is broken. */
function parseRaw(module: PgQueryModule, text: string): string | SyntaxFault {
  const bytes = module.lengthBytesUTF8(text) + 1;
  const textPointer = module._malloc(bytes);
  if (textPointer === 0) throw new Error("Cannot allocate the text in the parser");
  module.stringToUTF8(text, textPointer, bytes);
  const result = module._wasm_parse_query_raw(textPointer);
  if (result === 0) throw new Error("Cannot allocate the parser's result");
  // PgQueryParseResult: parse_tree, stderr_buffer, error; PgQueryError: message, funcname, filename, lineno, cursorpos.
  const error = module.getValue(result + 8, "i32");
  const tree = module.getValue(result, "i32");
  const outcome: string | SyntaxFault =
    error !== 0
      ? { atByte: Math.max(0, module.getValue(error + 16, "i32") - 1) }
      : tree !== 0
        ? module.UTF8ToString(tree)
        : { atByte: 0 };
  module._free(textPointer);
  module._wasm_free_parse_result(result);
  return outcome;
}

function statementsOf(result: { readonly stmts?: readonly RawStatement[] }, text: string): readonly ParsedStatement[] {
  const raw = result.stmts ?? [];
  if (raw.length === 1) return raw.map(({ stmt }) => ({ tree: stmt, text }));
  const bytes = Buffer.from(text);
  let from = 0;
  return raw.map(({ stmt, stmt_location, stmt_len }) => {
    const to = stmt_len === undefined ? bytes.length : (stmt_location ?? 0) + stmt_len;
    const own = bytes.toString("utf8", from, to);
    from = to + 1;
    return { tree: stmt, text: own };
  });
}

/** Offsets count bytes; zero is left out. */
interface RawStatement {
  readonly stmt: Ast;
  readonly stmt_location?: number;
  readonly stmt_len?: number;
}
