/** PostgreSQL as the rest of the tree sees it. */
import type { Protocol } from "../../model/protocol.ts";
import { analyse, analysisMemory, literalsOf, POSTGRES_ACTIONS, prepareAnalysis } from "./actions.ts";
import { quotedIn } from "./analysis/quoted.ts";
import { shapeOf } from "./analysis/shape.ts";
import type { PostgresQuestion } from "./catalog.ts";
import { UnreadBudget } from "./codec.ts";
import { EstimateLookup, type EstimateQuestion, estimateOf } from "./estimate.ts";
import { cancelKeyOf } from "./greeting.ts";
import { PostgresLogin } from "./login.ts";
import { CatalogLookup } from "./lookup.ts";
import { cancelRequest } from "./messages.ts";
import { PostgresSession } from "./session.ts";
import type { LoginRequest } from "./startup.ts";
import { askedBy } from "./typed-in.ts";

/** Which every server has unless somebody dropped it: for logins that no session asked for. */
const MAINTENANCE_DATABASE = "postgres";

/** The same memory for all sessions of the process. */
const unread = new UnreadBudget();

/** `DO '…'`, `COPY … TO PROGRAM '…'`, `SET ROLE '…'`: with another literal it is another action. */
const LITERALS_TELL: ReadonlySet<string> = new Set(["sql.call", "sql.server", "sql.session", "sql.administer"]);

export const postgres: Protocol = {
  name: "postgres",
  needsCredential: true,
  actions: POSTGRES_ACTIONS,
  prepare: prepareAnalysis,
  session: (world) => new PostgresSession(world, analyse, unread.of(world.connection)),
  login: (request, world) => new PostgresLogin(request as LoginRequest, world),
  lookup: (question) => {
    const asked = question as PostgresQuestion | EstimateQuestion;
    return asked.kind === "estimate" ? new EstimateLookup(asked) : new CatalogLookup(asked);
  },
  lookupLogin: (request) => ({
    database: (request as LoginRequest | undefined)?.database ?? MAINTENANCE_DATABASE,
    parameters: { application_name: "sallyport" },
  }),
  estimate: estimateOf,
  shapeOf: (text, actions = []) => (actions.some(({ name }) => LITERALS_TELL.has(name)) ? undefined : shapeOf(text)),
  literalsOf,
  quotedIn,
  askedBy,
  memory: analysisMemory,
  cancelMessage: cancelRequest,
  cancelKey: cancelKeyOf,
};
