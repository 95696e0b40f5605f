/** What every protocol folder gives to the tree: the same shape, listed in protocols/index.ts. */
import type { Connection, UpstreamTls } from "./connection.ts";
import type { RelayMode } from "./form.ts";
import type { MaskFor } from "./mask.ts";
import type { Action, ActionDeclaration, Asked } from "./operation.ts";
import type { LookAnswer, LookQuestion, OutputCaps, Session } from "./session.ts";
import type { Credential, LoginMachine } from "./upstream.ts";

export interface Protocol {
  readonly name: string;
  /** Whether a connection of this protocol needs a credential in the settings. */
  readonly needsCredential: boolean;
  readonly actions: readonly ActionDeclaration[];
  /** Loads what needs time (a WebAssembly parser). Called once before the first session. */
  prepare(): Promise<void>;
  session(world: SessionWorld): Session;
  /** Undefined: nothing to say after the dial (opaque). */
  login(request: unknown, world: LoginWorld): LoginMachine | undefined;
  /** Runs on a logged-in connection of our own; sees no client. Undefined: the protocol asks nothing. */
  readonly lookup?: (question: LookQuestion) => LookupMachine;
  /** What `login` needs for a lookup of our own on the same backend, given what the session's login asked; undefined: no session did. */
  readonly lookupLogin?: (request: unknown) => unknown;
  /** What to ask `lookup` for the number of rows that this would touch; or why it cannot be asked. Its answer is a text. */
  readonly estimate?: (asked: readonly Asked[]) => { readonly question: LookQuestion } | { readonly unknown: string };
  /**
   * What stays equal of a text where only its literals differ; undefined: nothing that could be relied upon, or, of one that
   * asks for `actions`, its literals say what is done.
   */
  readonly shapeOf?: ShapeOf;
  /** Values that stand in the text itself, as the backend reads them; undefined: it cannot be told. Absent: none do. */
  readonly literalsOf?: (text: string) => readonly string[] | undefined;
  /** The parts of a text that are not code: of strings, quoted names and comments. Absent: it cannot be told. */
  readonly quotedIn?: QuotedIn;
  /** What a typed-in text would ask for on this connection. Absent: the protocol has no texts. */
  readonly askedBy?: (text: string, connection: Connection) => readonly Asked[];
  /** What it remembers of texts, for whoever watches. Absent: nothing. */
  readonly memory?: () => MemoryCounts;
  /** The whole of a cancel message to the server for a key that `login` handed out. */
  readonly cancelMessage?: (cancel: Uint8Array) => Uint8Array;
  /** What a client of the session shows to cancel, made of the session's secret and the key that `login` handed out. */
  readonly cancelKey?: (secret: Uint8Array, cancel: Uint8Array) => Uint8Array;
}

/** Of a memory, since the start: how often it knew and did not, and how much it holds now. */
export interface MemoryCounts {
  readonly hits: number;
  readonly misses: number;
  readonly entries: number;
}

export type ShapeOf = (text: string, actions?: readonly Action[]) => string | undefined;

/** A half-open range of UTF-16 units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Ascending, not overlapping. */
export type QuotedIn = (text: string) => readonly Span[];

export interface SessionWorld {
  readonly sessionId: string;
  readonly connection: Connection;
  readonly maskFor: MaskFor;
  /** The answer to a look where it is there already and may be believed: then there is nothing to wait for. */
  readonly known?: (question: LookQuestion) => LookAnswer | undefined;
  /** Unpredictable bytes, made for this session: what the client shows to cancel is made of them. */
  readonly cancelSecret: Uint8Array;
  /** Absent: no rows are kept, and nothing is spent on it. */
  readonly output?: OutputCaps;
  /** Somebody could relay groups of messages. Absent: no forms of them are made. */
  readonly relay?: Exclude<RelayMode, "off">;
}

export interface LoginWorld {
  readonly credential: Credential | undefined;
  readonly tls: UpstreamTls;
  /** Unpredictable bytes for nonces. */
  readonly nonce: Uint8Array;
}

/** Asks the backend; `server` bytes in, bytes out, until it has the answer. */
export interface LookupMachine {
  start(): Uint8Array;
  /** Undefined: more bytes are needed. Throws ProtocolError. */
  receive(bytes: Uint8Array): LookAnswer | undefined;
}
