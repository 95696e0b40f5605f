/**
 * A model of a PostgreSQL server: takes what a session forwards and answers what the recorded server answered, with
 * names, transactions and copies as the real one keeps them. Honest; who lies does so behind it. Checks that
 * nothing runs that policy was not asked for in the very ask that made it run.
 */
import type { Asked } from "../../src/model/operation.ts";
import { server } from "../kit/wire.ts";
import { type Answers, bindOf, parseOf, type Run, textOf } from "./answers.ts";
import { checkForwarded, covers, unasked } from "./coverage.ts";
import { COLUMNS, failed, Library, SYNTAX } from "./library.ts";
import { share } from "./random.ts";
import { isNamingText, type Names, type Portal, rowsOf, runNaming } from "./sql.ts";

export interface ServerHabits {
  readonly seed: number;
  /** How many of its answers are errors although the recorded one was none: 0 to 1. */
  readonly failing: number;
  /** How many messages have a notice, a notification or a parameter before them. */
  readonly chatty: number;
  /** Whether it does what it says, so that names stand for what the client was told. */
  readonly honest: boolean;
}

interface Copy {
  readonly rest: readonly Buffer[];
  readonly isSimple: boolean;
}

const FAILED = server.error({ S: "ERROR", V: "ERROR", C: "XX000", M: "something went wrong", R: "fuzz" });
const IN_FAILED = server.error({ S: "ERROR", V: "ERROR", C: "25P02", M: "current transaction is aborted" });
const NO_NAME = server.error({ S: "ERROR", V: "ERROR", C: "26000", M: "that does not exist" });
const TAKEN = server.error({ S: "ERROR", V: "ERROR", C: "42P05", M: "that exists already" });
const NO_FORMAT = server.error({ S: "ERROR", V: "ERROR", C: "0A000", M: "that format was not recorded" });
const CANCELLED = server.error({ S: "ERROR", V: "ERROR", C: "57014", M: "COPY from stdin failed" });
const ASIDES: readonly Buffer[] = [
  server.notice({ S: "NOTICE", V: "NOTICE", C: "00000", M: "by the way", D: "nothing", W: "somewhere" }),
  server.notice({ S: "WARNING", V: "WARNING", C: "01000", M: "careful" }),
  server.notification("news", "an event"),
  server.parameter("application_name", "fuzz"),
  server.parameter("TimeZone", "UTC"),
];
const [DATA_ROW, ERROR, COMPLETE, ROW_DESCRIPTION] = [..."DECT"].map((letter) => letter.charCodeAt(0));

export class ModelServer {
  readonly #library: Library;
  readonly #habits: ServerHabits;
  readonly #say: (frame: Buffer) => void;
  readonly #names: Names = { statements: new Map(), portals: new Map(), status: "I" };
  #skipping = false;
  #copy: Copy | undefined;
  #asked: readonly Asked[] = [];
  /** Messages so far: what it does next depends on it and the seed. */
  #turn = 0;

  constructor(answers: Answers, habits: ServerHabits, say: (frame: Buffer) => void) {
    this.#library = new Library(answers, habits.seed);
    this.#habits = habits;
    this.#say = say;
  }

  /** Throws FuzzFault when it is told to run what was not asked for. */
  receive(bytes: Buffer, asked: readonly Asked[]): void {
    this.#asked = asked;
    for (const frame of checkForwarded(bytes, asked)) {
      this.#turn++;
      if (share(this.#habits.seed, 1, this.#turn) < this.#habits.chatty) this.#say(this.#any(ASIDES, 2));
      this.#take(String.fromCharCode(frame[0] ?? 0), frame);
    }
  }

  #take(type: string, frame: Buffer): void {
    if (this.#copy !== undefined) this.#copied(type, this.#copy, frame);
    else if (type === "S") this.#sync();
    else if (this.#skipping) return;
    else if (type === "Q") this.#query(textOf(frame), frame);
    else for (const own of this.#extended(type, frame)) this.#say(own);
  }

  #query(text: string, frame: Buffer): void {
    this.#names.statements.delete("");
    this.#names.portals.delete("");
    if (!covers(this.#asked, text) && !isInPlace(text)) throw unasked("a Query", frame);
    const run = this.#run(text, true, () => this.#library.queryOf(text, this.#turn));
    this.#copy = run.afterCopy && { rest: run.afterCopy, isSimple: true };
    for (const own of run.frames) this.#say(own);
    if (this.#copy === undefined) this.#ready();
  }

  /** Messages of a series; what is said to each. */
  #extended(type: string, frame: Buffer): readonly Buffer[] {
    switch (type) {
      case "P":
        return [this.#parse(frame)];
      case "B":
        return [this.#bind(frame)];
      case "D":
        return frame[5] === 0x53 ? this.#describeStatement(textOf(frame, 6)) : [this.#describePortal(textOf(frame, 6))];
      case "E":
        return this.#execute(frame);
      case "C": {
        const names: Map<string, unknown> = frame[5] === 0x53 ? this.#names.statements : this.#names.portals;
        names.delete(textOf(frame, 6));
        return [server.closed()];
      }
      default:
        return [];
    }
  }

  #parse(frame: Buffer): Buffer {
    const { name, text } = parseOf(frame);
    if (!covers(this.#asked, text) && !isInPlace(text)) throw unasked("a Parse", frame);
    if (name !== "" && this.#names.statements.has(name)) return this.#failing(TAKEN);
    if (this.#library.isUnknown(text)) return this.#failing(SYNTAX);
    if (this.#mayFail()) return this.#failing(FAILED);
    this.#names.statements.set(name, text);
    return server.parsed();
  }

  #bind(frame: Buffer): Buffer {
    const { portal, statement, formats } = bindOf(frame);
    const text = this.#names.statements.get(statement);
    if (text === undefined || (portal !== "" && this.#names.portals.has(portal))) return this.#failing(NO_NAME);
    if (this.#mayFail()) return this.#failing(FAILED);
    this.#names.portals.set(portal, { text, formats, statement, left: undefined });
    return server.bound();
  }

  #describeStatement(name: string): readonly Buffer[] {
    const text = this.#names.statements.get(name);
    if (text === undefined) return [this.#failing(NO_NAME)];
    const recorded = this.#library.statementOf(this.#rowsOf(text) ?? "");
    return recorded.length > 0 ? recorded : [server.parameters(), this.#columnsOf(text, "") ?? COLUMNS];
  }

  #describePortal(name: string): Buffer {
    const portal = this.#names.portals.get(name);
    if (portal === undefined) return this.#failing(NO_NAME);
    return this.#columnsOf(portal.text, portal.formats) ?? this.#failing(NO_FORMAT);
  }

  #execute(frame: Buffer): readonly Buffer[] {
    const name = textOf(frame);
    const portal = this.#names.portals.get(name);
    if (portal === undefined) return [this.#failing(NO_NAME)];
    if (this.#names.status === "E" && portal.left !== undefined) return [this.#failing(IN_FAILED)];
    if (this.#habits.honest && !this.#isCovered(name, portal)) throw unasked(`an Execute of ${portal.text}`, frame);
    if (portal.left === undefined) {
      const run = this.#run(portal.text, false, () => this.#library.runOf(portal, this.#turn));
      portal.left = run.frames;
      this.#copy = run.afterCopy && { rest: run.afterCopy, isSimple: false };
    }
    return this.#rows(portal, frame.readInt32BE(frame.length - 4));
  }

  /** By its text, or as the SQL that runs what has this name. */
  #isCovered(name: string, { text, statement }: Portal): boolean {
    const inSql = [name === "" ? "" : `FETCH ALL FROM "${name}"`, statement === "" ? "" : `EXECUTE "${statement}"`];
    return covers(this.#asked, text) || inSql.some((own) => own !== "" && covers(this.#asked, own));
  }

  /** As many rows as were asked for, or all that is left. */
  #rows(portal: Portal, limit: number): readonly Buffer[] {
    const left = portal.left ?? [];
    let rows = 0;
    for (const [at, frame] of left.entries()) {
      if (limit > 0 && rows === limit && frame[0] === DATA_ROW) {
        portal.left = left.slice(at);
        return [...left.slice(0, at), server.suspended()];
      }
      if (frame[0] === ERROR) return [...left.slice(0, at), this.#failing(frame)];
      if (frame[0] === DATA_ROW) rows++;
    }
    portal.left = [server.complete("SELECT 0")];
    return left;
  }

  #copied(type: string, copy: Copy, frame: Buffer): void {
    if ("dHS".includes(type)) return;
    this.#copy = undefined;
    if (type === "c") for (const own of copy.rest) this.#say(own);
    else this.#say(this.#failing(CANCELLED));
    if (copy.isSimple) {
      this.#skipping = false;
      this.#ready();
    } else if (copy.rest.some(([first]) => first === ERROR)) this.#skipping = true;
    if (!"cf".includes(type)) this.#take(type, frame);
  }

  /** `recorded`: what the text's own run was; `describes`: rows come with their description, as a Query's do. */
  #run(text: string, describes: boolean, recorded: () => Run | undefined): Run {
    if (this.#mayFail()) return this.#noted(failed(FAILED));
    const ran = runNaming(text, this.#names);
    if (ran === undefined) {
      if (this.#names.status === "E" && !/^\s*(rollback|commit|abort|end)\b/i.test(text)) return failed(IN_FAILED);
      return this.#noted(recorded() ?? failed(NO_FORMAT), text);
    }
    if ("frames" in ran) return this.#noted({ frames: ran.frames, afterCopy: undefined });
    const own = this.#library.has(text) && this.#rowsOf(text) === text ? recorded() : undefined;
    if (own !== undefined) return this.#noted(own);
    return this.#noted(this.#rowsAs(ran.rowsOf, ran.tag, describes));
  }

  /** Of what was recorded only through a cursor, the cursor's own answers are known. */
  #rowsOf(text: string): string | undefined {
    const found = rowsOf(text, this.#names);
    if (found === undefined) return undefined;
    return this.#library.has(found) || !this.#library.has(text) ? found : text;
  }

  /** A FETCH of a cursor that is not there is described as giving nothing, and fails later. */
  #columnsOf(text: string, formats: string): Buffer | undefined {
    const found = this.#rowsOf(text);
    return found === undefined ? server.noData() : this.#library.columnsOf(found, formats);
  }

  /** Rows of a text by way of a cursor or a prepared statement. */
  #rowsAs(text: string, tag: string, describes: boolean): Run {
    if (isNamingText(text)) return failed(FAILED);
    const rows = this.#library.runOf({ text, formats: "" }, this.#turn)?.frames ?? [];
    const columns = this.#columnsOf(text, "");
    if (rows.some(([type]) => type === ERROR) || columns === undefined) return failed(FAILED);
    const own = rows.filter(([type]) => type === DATA_ROW);
    const head = describes && columns[0] === ROW_DESCRIPTION ? [columns] : [];
    return { frames: [...head, ...own, server.complete(`${tag} ${own.length}`)], afterCopy: undefined };
  }

  /** What an error or a savepoint does to the transaction. */
  #noted(run: Run, text = ""): Run {
    const names = this.#names;
    for (const frame of run.frames) {
      if (frame[0] === ERROR && names.status === "T") names.status = "E";
      else if (frame[0] === COMPLETE && /^\s*rollback\s+to\b/i.test(text)) names.status = "T";
    }
    return run;
  }

  /** The rest of the series is skipped. */
  #failing(error: Buffer): Buffer {
    if (this.#names.status === "T") this.#names.status = "E";
    this.#skipping = true;
    return error;
  }

  #sync(): void {
    this.#skipping = false;
    this.#ready();
  }

  #ready(): void {
    if (this.#names.status === "I") this.#names.portals.clear();
    this.#say(server.ready(this.#names.status));
  }

  #mayFail(): boolean {
    return share(this.#habits.seed, 5, this.#turn) < this.#habits.failing;
  }

  #any<T>(list: readonly T[], salt: number): T {
    return list[Math.floor(share(this.#habits.seed, salt, this.#turn) * list.length)] as T;
  }
}

/** Sallyport's own, which fails. */
function isInPlace(text: string): boolean {
  return text === "sallyport refused this statement";
}
