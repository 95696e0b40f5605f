/**
 * What the recorded server answers, by the text of a statement: taken from the corpus, so that a model of the server
 * can answer a client that says the same things in another order. Decides nothing.
 */
import { type Conversation, framesOf } from "./corpus.ts";

/** One recorded run of a text. */
export interface Run {
  /** Everything up to the answer's end; of a copy from the client, up to where its data is awaited. */
  readonly frames: readonly Buffer[];
  /** After the data of a copy from the client. */
  readonly afterCopy: readonly Buffer[] | undefined;
}

export interface Recorded {
  /** As a Query: with its row descriptions. */
  readonly queries: Run[];
  /** By an Execute, by the formats that its Bind asked for. */
  readonly runs: Map<string, Run[]>;
  /** Of a portal, by formats: RowDescription or NoData. */
  readonly described: Map<string, Buffer>;
  /** Of the statement: ParameterDescription, and RowDescription or NoData. */
  statement: readonly Buffer[];
}

export type Answers = ReadonlyMap<string, Recorded>;

export function answersOf(conversations: readonly Conversation[]): Answers {
  const answers = new Map<string, Recorded>();
  for (const conversation of conversations) new Reading(answers).read(conversation);
  return answers;
}

/** Formats of results as a key; `bytes` is a Bind. */
export function bindOf(bytes: Buffer): { portal: string; statement: string; formats: string } {
  let at = 5;
  const text = () => {
    const stop = bytes.indexOf(0, at);
    const found = bytes.toString("utf8", at, stop);
    at = stop + 1;
    return found;
  };
  const portal = text();
  const statement = text();
  at += 2 + 2 * bytes.readUInt16BE(at);
  const count = bytes.readUInt16BE(at);
  at += 2;
  for (let left = count; left > 0; left--) at += 4 + Math.max(0, bytes.readInt32BE(at));
  const formats: number[] = [];
  for (let left = bytes.readUInt16BE(at), own = at + 2; left > 0; left--, own += 2)
    formats.push(bytes.readInt16BE(own));
  return { portal, statement, formats: formatsKey(formats) };
}

/** Text formats, said or not, are the same. */
function formatsKey(formats: readonly number[]): string {
  return formats.every((format) => format === 0) ? "" : formats.join();
}

export function parseOf(bytes: Buffer): { name: string; text: string } {
  const stop = bytes.indexOf(0, 5);
  return { name: bytes.toString("utf8", 5, stop), text: bytes.toString("utf8", stop + 1, bytes.indexOf(0, stop + 1)) };
}

/** The text at the beginning of a body. */
export function textOf(bytes: Buffer, at = 5): string {
  return bytes.toString("utf8", at, bytes.indexOf(0, at));
}

interface Awaited {
  readonly type: string;
  readonly text: string;
  readonly formats: string;
  readonly frames: Buffer[];
  afterCopy: Buffer[] | undefined;
  /** Only a part of the rows, or what was left of them. */
  readonly isPart: boolean;
}

/** Gives every server message of one conversation to the client message that it answers. */
class Reading {
  readonly #answers: Map<string, Recorded>;
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, { readonly text: string | undefined; readonly formats: string }>();
  /** Portals that were run already. */
  readonly #ran = new Set<string>();
  readonly #awaited: Awaited[] = [];

  constructor(answers: Map<string, Recorded>) {
    this.#answers = answers;
  }

  read({ messages }: Conversation): void {
    for (const { from, bytes } of messages) {
      if (from === "client") for (const frame of framesOf(bytes)) this.#asks(frame);
      else this.#answered(bytes);
    }
  }

  #asks(bytes: Buffer): void {
    const type = String.fromCharCode(bytes[0] ?? 0);
    if (!"QPBDECS".includes(type)) return;
    this.#awaited.push({ type, ...this.#about(type, bytes), frames: [], afterCopy: undefined });
  }

  /** `isPart`: what comes says nothing of the text as a whole, or the text is not known. */
  #about(type: string, bytes: Buffer): Pick<Awaited, "text" | "formats" | "isPart"> {
    const name = textOf(bytes, type === "D" ? 6 : 5);
    switch (type) {
      case "Q":
        return { text: name, formats: "", isPart: false };
      case "P": {
        const { text } = parseOf(bytes);
        this.#statements.set(name, text);
        return { text, formats: "", isPart: false };
      }
      case "B": {
        const { statement, formats } = bindOf(bytes);
        this.#portals.set(name, { text: this.#statements.get(statement), formats });
        this.#ran.delete(name);
        return NOTHING;
      }
      case "D":
      case "E": {
        const isStatement = type === "D" && bytes[5] === STATEMENT;
        const about = isStatement ? { text: this.#statements.get(name), formats: "S" } : this.#portals.get(name);
        const isPart = type === "E" && (this.#ran.has(name) || bytes.readInt32BE(bytes.length - 4) !== 0);
        if (type === "E") this.#ran.add(name);
        return about?.text === undefined ? NOTHING : { text: about.text, formats: about.formats, isPart };
      }
      default:
        return NOTHING;
    }
  }

  #answered(frame: Buffer): void {
    const [awaited] = this.#awaited;
    const type = String.fromCharCode(frame[0] ?? 0);
    if (awaited === undefined) return;
    if (type === "E" && awaited.type !== "Q") {
      if (awaited.type === "E") this.#keep(awaited, frame);
      while (this.#awaited.length > 0 && this.#awaited[0]?.type !== "S") this.#awaited.shift();
      return;
    }
    if (type !== "Z") (awaited.afterCopy ?? awaited.frames).push(frame);
    if (type === "G") {
      awaited.afterCopy = [];
      while (this.#awaited[1]?.type === "S") this.#awaited.splice(1, 1);
    }
    if (isEnd(awaited.type, type)) this.#keep(awaited);
  }

  #keep(awaited: Awaited, last?: Buffer): void {
    if (last !== undefined) (awaited.afterCopy ?? awaited.frames).push(last);
    this.#awaited.shift();
    const { type, text, formats, frames, afterCopy, isPart } = awaited;
    if (!"QDE".includes(type) || isPart || frames.some(isOfFailedTransaction)) return;
    const recorded = this.#recorded(text);
    if (type === "Q") recorded.queries.push({ frames, afterCopy });
    else if (type === "E") recorded.runs.set(formats, [...(recorded.runs.get(formats) ?? []), { frames, afterCopy }]);
    else if (formats === "S") recorded.statement = frames;
    else if (frames[0] !== undefined) recorded.described.set(formats, frames[0]);
  }

  #recorded(text: string): Recorded {
    let recorded = this.#answers.get(text);
    if (recorded === undefined) {
      recorded = { queries: [], runs: new Map(), described: new Map(), statement: [] };
      this.#answers.set(text, recorded);
    }
    return recorded;
  }
}

const NOTHING = { text: "", formats: "", isPart: true } as const;
const STATEMENT = 0x53;
const ENDS: Readonly<Record<string, string>> = { Q: "Z", P: "1", B: "2", D: "Tn", E: "CsI", C: "3", S: "Z" };

function isEnd(asked: string, answer: string): boolean {
  return ENDS[asked]?.includes(answer) ?? false;
}

/** What a text brings in a failed transaction says nothing of the text. */
function isOfFailedTransaction(frame: Buffer): boolean {
  return frame[0] === 0x45 && frame.includes("C25P02\0");
}
