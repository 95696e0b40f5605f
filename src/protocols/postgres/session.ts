/**
 * One PostgreSQL session: from the client's first packet to its end. Waits where it has to (for TLS, a
 * verdict, facts, an answer), hands every group of messages to policy before the server sees it, and
 * never sends a byte to the server that no permit owns.
 */
import { ProtocolError } from "../../base/errors.ts";
import { PIPELINE_MAX } from "../../base/limits.ts";
import type { Decision } from "../../model/decision.ts";
import type { ColumnFacts } from "../../model/mask.ts";
import type { Asked } from "../../model/operation.ts";
import type { SessionWorld } from "../../model/protocol.ts";
import type { LookAnswer, Session, SessionCommand, SessionEvent } from "../../model/session.ts";
import type { AnalysisScope } from "./actions.ts";
import { Answers } from "./answers.ts";
import { type CatalogFacts, hasLabels, type PostgresQuestion } from "./catalog.ts";
import { frameBytes, Inlet } from "./codec.ts";
import {
  authenticationOk,
  backendKeyData,
  CLIENT,
  fatal,
  negotiateProtocolVersion,
  parameterStatus,
  readyForQuery,
} from "./messages.ts";
import { forbiddenParameter, NEEDED_PARAMETERS } from "./parameter-status.ts";
import {
  FAILING_PARSE,
  FAILING_QUERY,
  FAILING_SERIES,
  fatalRefusal,
  HOUSEKEEPING,
  housekeeping,
  refusal,
} from "./refuse.ts";
import { type Analyse, type Group, nextOf, Requests } from "./requests.ts";
import { type LoginRequest, readOpening, type Startup } from "./startup.ts";
import { entryOf, type Step } from "./steps.ts";

/** What the login machine learned, for the client's greeting. */
export interface Greeting {
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** Transaction status of the first ReadyForQuery. */
  readonly status: string;
}

type Phase = "opening" | "securing" | "connecting" | "ready" | "closed";

/** What an unanswered ask is for. */
type Waiting =
  | { readonly kind: "connect"; readonly startup: Startup }
  | { readonly kind: "group"; readonly group: Group }
  /** The failing statement in place of a refused group. */
  | { readonly kind: "refusal"; readonly steps: readonly Step[] }
  | { readonly kind: "copy"; readonly ends: "open" | "done" }
  | { readonly kind: "sync"; readonly step: Step }
  | { readonly kind: "terminate" };

/** What facts are awaited for. */
type Looking = "greeting" | "requests" | "rows";

const TEXT_FACTS = { schema: "", table: "", labels: [], valueKind: "text", format: "text" } as const;
const COPY_ASKED = housekeeping("CopyData");
const SYNC_ASKED = housekeeping("Sync");
const TERMINATE_ASKED = housekeeping("Terminate");
const REFUSED_ASKED = housekeeping("(a statement that fails, in place of the refused one)");
const NOTHING = Buffer.alloc(0);

export class PostgresSession implements Session {
  readonly #world: SessionWorld;
  readonly #analyse: Analyse;
  readonly #labelled: boolean;
  readonly #masksCopies: boolean;
  readonly #inlet = new Inlet();
  readonly #requests = new Requests();
  readonly #answers: Answers;
  #out: SessionCommand[] = [];
  #phase: Phase = "opening";
  #encryption: "none" | "refused" | "on" = "none";
  #askId = 0;
  #waiting: Waiting | undefined;
  #waitingId = 0;
  #looking: { readonly id: number; readonly why: Looking } | undefined;
  #greeting: Greeting | undefined;
  #catalog: CatalogFacts | undefined;
  /** The facts were fetched for the group that is next. */
  #looked = false;
  #fresh = false;
  #barrier: Step | undefined;
  #copyIn = false;
  /** Refused: what comes before the next Sync is dropped. */
  #dropping = false;
  #policy = "";

  constructor(world: SessionWorld, analyse: Analyse) {
    this.#world = world;
    this.#analyse = analyse;
    this.#labelled = hasLabels(world.connection.data);
    const copyFacts: ColumnFacts = { ...TEXT_FACTS, name: "copy" };
    const copyMask = world.maskFor(copyFacts);
    this.#masksCopies = copyMask !== undefined;
    this.#answers = new Answers({
      requests: this.#requests,
      scrub: { labelled: this.#labelled, mask: world.maskFor({ ...TEXT_FACTS, name: "error" }) },
      copyMask,
      planSource: () => ({
        maskFor: world.maskFor,
        data: world.connection.data,
        catalog: this.#labelled ? this.#catalog : undefined,
      }),
      look: (oids) => this.#look("rows", { kind: "relations", labels: world.connection.data, oids }),
      copyInBegins: () => {
        this.#copyIn = true;
      },
      stepDone: (step) => {
        if (step === this.#barrier) this.#barrier = undefined;
        if (step.kind === "query" || step.kind === "execute") this.#endCopyIn(step);
      },
      answerDone: (answer) => this.#out.push({ kind: "note", entry: entryOf(answer) }),
    });
  }

  handle(event: SessionEvent): readonly SessionCommand[] {
    this.#out = [];
    if (this.#phase === "closed") return this.#out;
    const amid = this.#answers.isAmidMessage;
    try {
      this.#take(event);
      if (this.#phase === "ready") this.#pump();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fault(error, amid);
    }
    this.#inlet.keep();
    return this.#out;
  }
}
