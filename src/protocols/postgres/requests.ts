/**
 * One group of the client's messages: what it asks for, what the server will answer, and what each
 * name in it stands for. Decides nothing and sends nothing.
 */
import { ProtocolError } from "../../base/errors.ts";
import { PREPARED_MAX, STATEMENT_BYTES_MAX, STATEMENTS_PER_QUERY_MAX } from "../../base/limits.ts";
import type { Asked } from "../../model/operation.ts";
import type { Analysis, AnalysisScope, Effects } from "./actions.ts";
import { BodyReader, HEADER_BYTES } from "./codec.ts";
import { CLEAN_OUTPUTS, Cursors, type Outputs, UNKNOWN_OUTPUTS } from "./lineage/outputs.ts";
import { CLIENT, describePortal } from "./messages.ts";
import { parameterText } from "./parameters.ts";
import {
  type Change,
  isNaming,
  makeRoom,
  Names,
  noteCursors,
  noteNaming,
  type Portal,
  type PreparedStatement,
} from "./prepared.ts";
import { forbidden, HOUSEKEEPING, RESERVED_PREFIX } from "./refuse.ts";
import { type Answer, newAnswer, type Step } from "./steps.ts";

export type Analyse = (text: string, scope: AnalysisScope) => Analysis;

/** Messages that are asked for together. */
export interface Group {
  readonly kind: "query" | "series";
  /** `sync`: its last message is a Sync; `open`: the Sync is still to come. */
  readonly ends: "sync" | "open";
  readonly asked: readonly Asked[];
  /** A view of the client's bytes, unless Sallyport had to add a Describe. */
  readonly bytes: Uint8Array;
  readonly steps: readonly Step[];
  readonly answer: Answer;
  /** Nothing more is read of the client before this step is answered. */
  readonly barrier: Step | undefined;
  readonly definesSchema: boolean;
  /** Nothing of ours was added. */
  readonly isOriginal: boolean;
  /** Takes back what was noted of names: the group was refused. */
  undo(): void;
}

/** What a session keeps between groups. */
export interface RequestWorld {
  readonly analyse: Analyse;
  readonly scope: AnalysisScope;
  /** Whether text of a copy may have to be masked, which its binary form does not allow. */
  readonly masksCopies: boolean;
  readonly labelled: boolean;
}

/** Reads groups; knows the names that the client has given to statements and portals. */
export class Requests {
  readonly statements = new Names<PreparedStatement>();
  readonly portals = new Names<Portal>();
  readonly cursors = new Cursors();
  /** Names of portals that may be there still, though not to be used, and the series in which they came to be so. */
  readonly #doubtful = new Map<string, number>();
  /** Number of the series that is being read. */
  series = 1;
  /** Executes that were read so far. */
  runs = 0;

  /** The messages from `at` to `end`, which are whole. Throws ProtocolError. */
  read(bytes: Buffer, at: number, end: number, world: RequestWorld): Group {
    const reading = new Reading(this, world, bytes, at, end);
    return reading.group();
  }

  /** Whether these messages use a name of which the server has not said yet what it stands for. */
  mustWait(bytes: Buffer, from: number, end: number): boolean {
    const { statements, portals, series } = this;
    if (statements.isSettled && portals.isSettled) return false;
    const parsed = new Set<string>();
    const bound = new Set<string>();
    for (let at = from; at < end; ) {
      const next = at + 1 + bytes.readInt32BE(at + 1);
      const body = new BodyReader(bytes, at + HEADER_BYTES, next);
      let statement: string | undefined;
      let portal: string | undefined;
      switch (bytes[at]) {
        case CLIENT.parse:
          parsed.add(body.text());
          break;
        case CLIENT.bind:
          bound.add(body.text());
          statement = body.text();
          break;
        case CLIENT.describe:
          if (body.byte() === STATEMENT) statement = body.text();
          else portal = body.text();
          break;
        case CLIENT.execute:
          portal = body.text();
          break;
        default:
      }
      if (statement !== undefined && !parsed.has(statement) && !statements.mayUse(statement, series)) return true;
      if (portal !== undefined && !bound.has(portal) && !portals.mayUse(portal, series)) return true;
      at = next;
    }
    return false;
  }

  /** At the end of a transaction the server drops every portal that it has made so far. */
  dropPortals(uptoSeries: number): void {
    this.portals.forget(({ series }) => series <= uptoSeries);
    for (const [name, series] of this.#doubtful) if (series <= uptoSeries) this.#doubtful.delete(name);
  }

  /** What runs now may put cursors in the place of portals. */
  noteCursors(effects: Effects, own: Portal | undefined): void {
    for (const name of noteCursors(effects, this.portals, own)) this.#doubtful.set(name, this.series);
  }

  /** The server has prepared this one without a name, and nothing is under way; undefined: nobody knows which. */
  replaceUnnamed(statement: PreparedStatement | undefined): void {
    this.statements.forget(({ name }) => name === "");
    if (statement !== undefined) this.statements.set(statement, this.series)?.confirm();
  }

  /** Whether the server may have something of this name that is not what SQL has made. */
  isDoubtful(portal: string): boolean {
    return this.#doubtful.has(portal) || this.#doubtful.size >= PREPARED_MAX;
  }
}

/** Reading of one group. */
class Reading {
  readonly #names: Requests;
  readonly #world: RequestWorld;
  readonly #bytes: Buffer;
  readonly #from: number;
  readonly #end: number;
  readonly #asked: Asked[] = [];
  readonly #steps: Step[] = [];
  readonly #undo: Pick<Change, "drop">[] = [];
  readonly #answer = newAnswer();
  /** Statements of this group, or of SQL, that no Execute has used yet. */
  #unused: PreparedStatement[] = [];
  /** Bound in this group and not executed in it, with what was bound last: a Bind plans, and planning may run code. */
  #bound: Map<PreparedStatement, readonly (string | null)[]> | undefined;
  /** Bytes with something inserted, and up to where the input is in there. */
  #pieces: Uint8Array[] | undefined;
  #copied: number;
  #barrier: Step | undefined;
  #definesSchema = false;
  #refused = false;

  constructor(names: Requests, world: RequestWorld, bytes: Buffer, from: number, end: number) {
    this.#names = names;
    this.#world = world;
    this.#bytes = bytes;
    this.#from = from;
    this.#copied = from;
    this.#end = end;
  }

  group(): Group {
    let kind: Group["kind"] = "series";
    let ends: Group["ends"] = "open";
    for (let at = this.#from; at < this.#end; ) {
      const type = this.#bytes[at] as number;
      const next = at + 1 + this.#bytes.readInt32BE(at + 1);
      const body = new BodyReader(this.#bytes, at + HEADER_BYTES, next);
      if (type === CLIENT.query || type === CLIENT.functionCall) kind = "query";
      if (type === CLIENT.sync) ends = "sync";
      this.#message(type, body, at);
      body.done();
      at = next;
    }
    for (const [statement, parameters] of this.#bound ?? []) this.#ask(statement, parameters);
    for (const statement of this.#unused) this.#ask(statement, "none");
    if (this.#asked.length === 0) this.#asked.push(ends === "sync" ? SYNC_ASKED : OTHER_ASKED);
    this.#answer.open = this.#steps.length;
    const undo = this.#undo;
    return {
      kind,
      ends,
      asked: this.#asked,
      bytes: this.#finishBytes(),
      steps: this.#steps,
      answer: this.#answer,
      barrier: this.#barrier,
      definesSchema: this.#definesSchema,
      isOriginal: this.#pieces === undefined,
      undo: () => {
        for (const change of undo) change.drop();
      },
    };
  }

  #message(type: number, body: BodyReader, at: number): void {
    switch (type) {
      case CLIENT.query:
        this.#query(body);
        return;
      case CLIENT.parse:
        this.#parse(body);
        return;
      case CLIENT.bind:
        this.#bind(body);
        return;
      case CLIENT.describe:
        this.#describe(body);
        return;
      case CLIENT.execute:
        this.#execute(body, at);
        return;
      case CLIENT.close:
        this.#close(body);
        return;
      case CLIENT.functionCall:
        body.take(body.end - body.at);
        this.#forbid("function-call", "The fast path for function calls is not supported; use SELECT");
        return;
      case CLIENT.sync:
        this.#steps.push({ kind: "sync", answer: this.#answer, series: this.#names.series++ });
        return;
      default:
        return;
    }
  }

  #query(body: BodyReader): void {
    if (body.end - body.at > STATEMENT_BYTES_MAX) {
      body.take(body.end - body.at);
      this.#forbidLength();
      return;
    }
    const text = body.text();
    noteNaming(text, this.#names.statements);
    const { statements } = this.#world.analyse(text, this.#world.scope);
    const { series } = this.#names;
    const catalogVersion = this.#world.scope.catalog?.version ?? "";
    const step: Step = { kind: "query", answer: this.#answer, refusal: undefined, series, catalogVersion, statements };
    this.#steps.push(step);
    if (statements.length > STATEMENTS_PER_QUERY_MAX) {
      this.#forbid("too-many-statements", `A query holds more than ${STATEMENTS_PER_QUERY_MAX} statements`, text);
      return;
    }
    if (statements.length === 0) this.#asked.push(EMPTY_ASKED);
    for (const statement of statements) {
      const { operation, text: own, effects } = statement;
      this.#asked.push(effects.resultVaries ? { operation, text: own, ...CONTINUES } : { operation, text: own });
      this.#effects(statement, step, undefined);
    }
    this.#names.series++;
  }

  #parse(body: BodyReader): void {
    const name = body.text();
    if (body.end - body.at > STATEMENT_BYTES_MAX + 4 * 65_535) {
      body.take(body.end - body.at);
      this.#forbidLength();
      return;
    }
    const text = body.text();
    const types: number[] = [];
    for (let left = body.count(); left > 0; left--) types.push(body.oid());
    if (Buffer.byteLength(text) > STATEMENT_BYTES_MAX) {
      this.#forbidLength();
      return;
    }
    if (name.startsWith(RESERVED_PREFIX)) {
      this.#forbid("reserved-name", `Names of statements cannot begin with "${RESERVED_PREFIX}"`, text);
      return;
    }
    noteNaming(text, this.#names.statements);
    const statement: PreparedStatement = {
      name,
      text,
      analysis: this.#world.analyse(text, this.#world.scope),
      catalogVersion: this.#world.scope.catalog?.version ?? "",
      types,
      columns: undefined,
      isNaming: isNaming(text),
      unsure: false,
      weight: text.length,
    };
    makeRoom(this.#names.statements);
    const change = this.#names.statements.set(statement, this.#names.series);
    if (change === undefined) {
      this.#forbid("too-many-names", "The session has prepared too many statements, or too long ones", text);
      return;
    }
    this.#undo.push(change);
    this.#unused.push(statement);
    this.#steps.push({ kind: "parse", answer: this.#answer, change, refusal: undefined });
  }

  #bind(body: BodyReader): void {
    const name = body.text();
    const statement = this.#statement(body.text());
    const formats = readFormats(body);
    const parameters: (string | null)[] = [];
    for (let left = body.count(), position = 0; left > 0; left--, position++) {
      const length = body.int32();
      const value = length === -1 ? undefined : body.take(length);
      if (this.#refused) continue;
      parameters.push(parameterText(value, formatAt(formats, position), statement?.types[position] ?? 0));
    }
    const resultFormats = readFormats(body);
    if (statement === undefined) return;
    const portal: Portal = {
      name,
      statement,
      formats: resultFormats,
      parameters,
      series: this.#names.series,
      unsure: false,
      plan: undefined,
      describedSeries: 0,
      knownRuns: this.#names.runs,
      weight: parameters.reduce((sum, text) => sum + (text?.length ?? 0), 0),
    };
    const change = this.#names.portals.set(portal, this.#names.series);
    if (change === undefined) {
      this.#forbid("too-many-names", "The session has opened too many portals, or with too long parameters");
      return;
    }
    this.#undo.push(change);
    this.#bound ??= new Map();
    this.#bound.set(statement, parameters);
    this.#names.cursors.note(name, portalOutputs(statement));
    this.#steps.push({ kind: "bind", answer: this.#answer, change });
  }

  #describe(body: BodyReader): void {
    const what = body.byte();
    const name = body.text();
    if (what === STATEMENT) {
      const statement = this.#statement(name);
      if (statement) this.#steps.push({ kind: "describeStatement", answer: this.#answer, statement });
    } else if (what === PORTAL) {
      const portal = this.#portal(name);
      if (portal === undefined) return;
      this.#willBeDescribed(portal);
      this.#steps.push({ kind: "describePortal", answer: this.#answer, portal, shown: "all" });
    } else throw new ProtocolError("FRAME_BODY", "Cannot read a Describe: it names neither statement nor portal");
  }

  #execute(body: BodyReader, at: number): void {
    const portal = this.#portal(body.text());
    body.int32();
    if (portal === undefined) return;
    if (!this.#isDescribed(portal)) this.#insertDescribe(portal, at);
    const step: Step = { kind: "execute", answer: this.#answer, portal };
    const { statement, parameters } = portal;
    if (statement.isNaming) noteNaming(statement.text, this.#names.statements);
    this.#ask(statement, parameters);
    this.#bound?.delete(statement);
    for (const part of statement.analysis.statements) this.#effects(part, step, portal);
    portal.knownRuns = ++this.#names.runs;
    this.#steps.push(step);
  }

  #close(body: BodyReader): void {
    const what = body.byte();
    if (what !== STATEMENT && what !== PORTAL) {
      throw new ProtocolError("FRAME_BODY", "Cannot read a Close: it names neither statement nor portal");
    }
    const names = what === STATEMENT ? this.#names.statements : this.#names.portals;
    const change = names.remove(body.text(), this.#names.series);
    if (change !== undefined) this.#undo.push(change);
    this.#steps.push({ kind: "close", answer: this.#answer, change });
  }

  /** Whether the server will have said what the portal's rows are before they come. */
  #isDescribed(portal: Portal): boolean {
    const { series, runs } = this.#names;
    // CLOSE and DECLARE in another portal put something else behind a name, or behind the cursor of a FETCH.
    if (portal.knownRuns !== runs) return false;
    if (portal.describedSeries === series) return true;
    const { statement } = portal;
    if (portal.series !== series || statement.unsure || resultVaries(statement)) return false;
    // Types cannot change under a prepared statement, but the tables behind its names can.
    return statement.columns !== undefined && (!this.#world.labelled || statement.columns.length === 0);
  }

  #insertDescribe(portal: Portal, at: number): void {
    this.#pieces ??= [];
    this.#pieces.push(this.#bytes.subarray(this.#copied, at), describePortal(portal.name));
    this.#copied = at;
    this.#willBeDescribed(portal);
    this.#steps.push({ kind: "describePortal", answer: this.#answer, portal, shown: "none" });
  }

  #willBeDescribed(portal: Portal): void {
    portal.describedSeries = this.#names.series;
    portal.knownRuns = this.#names.runs;
  }

  #finishBytes(): Uint8Array {
    if (this.#pieces === undefined) return this.#bytes.subarray(this.#from, this.#end);
    return Buffer.concat([...this.#pieces, this.#bytes.subarray(this.#copied, this.#end)]);
  }

  #statement(name: string): PreparedStatement | undefined {
    const found = this.#names.statements.get(name);
    if (found !== undefined) return found;
    if (canBeInSql(name)) return this.#inSql(name, `EXECUTE ${quoted(name)}`);
    this.#forbid("unknown-name", "The session has not prepared this statement through the protocol");
    return undefined;
  }

  #portal(name: string): Portal | undefined {
    const found = this.#names.portals.get(name);
    if (found !== undefined) return found;
    if (canBeInSql(name) && !this.#names.isDoubtful(name)) {
      const { series, runs } = this.#names;
      const statement = this.#inSql(name, `FETCH ALL FROM ${quoted(name)}`);
      const about = { name, statement, series, knownRuns: runs, formats: TEXT_FORMATS, parameters: [], weight: 0 };
      return { ...about, unsure: true, plan: undefined, describedSeries: 0 };
    }
    this.#forbid("unknown-name", "The session has not bound this portal through the protocol");
    return undefined;
  }

  /**
   * What the client has not named through the protocol: PREPARE or DECLARE may have, or nobody, which the server then says.
   * Judged as the SQL that does the same. Never kept, and nothing is known of it: whatever comes of it is described first.
   */
  #inSql(name: string, text: string): PreparedStatement {
    const statement: PreparedStatement = {
      name,
      text,
      analysis: this.#world.analyse(text, this.#world.scope),
      catalogVersion: this.#world.scope.catalog?.version ?? "",
      types: [],
      columns: undefined,
      isNaming: false,
      unsure: true,
      weight: 0,
    };
    this.#unused.push(statement); // a FETCH could run what was bound only
    return statement;
  }

  /** `parameters`: what it is bound to; "none": it is only parsed. */
  #ask(statement: PreparedStatement, parameters: readonly (string | null)[] | "none"): void {
    const version = this.#world.scope.catalog?.version ?? "";
    if (statement.catalogVersion !== version) {
      statement.analysis = this.#world.analyse(statement.text, this.#world.scope);
      statement.catalogVersion = version;
    }
    if (parameters !== "none" && this.#unused.length > 0) {
      this.#unused = this.#unused.filter((entry) => entry !== statement);
    }
    const more = parameters === "none" ? PREPARED : parameters.length === 0 ? NOTHING_MORE : { parameters };
    for (const { operation, text, effects } of statement.analysis.statements) {
      const varies = effects.resultVaries ? CONTINUES : NOTHING_MORE;
      this.#asked.push({ operation, text, ...more, ...varies });
    }
    if (statement.analysis.statements.length === 0) this.#asked.push(EMPTY_ASKED);
  }

  #effects(statement: Analysis["statements"][number], step: Step, own: Portal | undefined): void {
    const { definesSchema, copy, declares, runsCode, outputs, labelled } = statement.effects;
    if (definesSchema) this.#definesSchema = true;
    if (labelled) this.#answer.labelled = true;
    if (declares !== undefined) this.#names.cursors.note(declares, outputs);
    if (runsCode) {
      this.#undo.push({ drop: this.#names.cursors.doubt() });
      for (const prepared of this.#names.statements.values()) prepared.unsure = true; // it may PREPARE, in words that nobody sees
    }
    this.#names.noteCursors(statement.effects, own);
    if (copy === "in" || (definesSchema && this.#world.labelled)) this.#barrier = step;
    if (copy === "out" && this.#world.masksCopies && /binary/i.test(statement.text)) {
      this.#forbid("binary-copy", "COPY in binary form cannot be masked; use text or csv", statement.text);
    }
  }

  #forbidLength(): void {
    this.#forbid("statement-length", `A statement is longer than ${STATEMENT_BYTES_MAX} bytes`);
  }

  /** The first reason is enough: the group is refused as a whole. */
  #forbid(rule: string, message: string, text = ""): void {
    if (this.#refused) return;
    this.#refused = true;
    this.#asked.push(forbidden(`built-in:${rule}`, message, text));
  }
}

const PREPARED = { prepared: true } as const;
const NOTHING_MORE = Object.freeze({});
/** FETCH, EXECUTE and CALL: what comes is of another statement. */
const CONTINUES = { continues: true } as const;
const STATEMENT = 0x53;
const PORTAL = 0x50;
const SYNC_ASKED: Asked = Object.freeze({ operation: HOUSEKEEPING, text: "Sync" });
const OTHER_ASKED: Asked = Object.freeze({ operation: HOUSEKEEPING, text: "Close" });
const EMPTY_ASKED: Asked = Object.freeze({ operation: HOUSEKEEPING, text: "" });

/** SQL cuts longer names off, and has no empty ones. */
const SQL_NAME_BYTES_MAX = 63;

function canBeInSql(name: string): boolean {
  return name !== "" && Buffer.byteLength(name) <= SQL_NAME_BYTES_MAX;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** For a FETCH of the portal's name; what a FETCH in it will find is not known yet. */
function portalOutputs({ analysis }: PreparedStatement): Outputs {
  const effects = analysis.statements[0]?.effects;
  if (effects === undefined) return CLEAN_OUTPUTS;
  return effects.fetches === undefined ? effects.outputs : UNKNOWN_OUTPUTS;
}

/** Whether its columns may be others each time that it is bound. */
function resultVaries({ analysis }: PreparedStatement): boolean {
  return analysis.statements.some(({ effects }) => effects.resultVaries);
}

/** Of parameters or columns, as a Bind has them. */
export function readFormats(body: BodyReader): readonly number[] {
  const count = body.count();
  if (count === 0) return TEXT_FORMATS;
  const formats: number[] = [];
  for (let left = count; left > 0; left--) formats.push(body.int16());
  return formats;
}

const TEXT_FORMATS: readonly number[] = Object.freeze([]);

export function formatAt(formats: readonly number[], position: number): number {
  if (formats.length === 0) return 0;
  return (formats.length === 1 ? formats[0] : formats[position]) ?? 0;
}
