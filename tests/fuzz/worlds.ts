/**
 * The worlds that fuzzed sessions live in: real policies with a real judge, real masks, labels with the catalog facts
 * that the product's own lookup made of a recorded answer, and what of the server's data nobody may see there.
 */
import { DETECTOR_NAMES } from "../../src/masking/detectors.ts";
import { createMasker } from "../../src/masking/mask.ts";
import { strictest } from "../../src/masking/replace.ts";
import type { DataLabels } from "../../src/model/connection.ts";
import type { ColumnFacts, MaskStyle } from "../../src/model/mask.ts";
import type { SessionWorld } from "../../src/model/protocol.ts";
import type { Judge } from "../../src/policy/decide.ts";
import { loadPolicy, type Policy } from "../../src/policy/load.ts";
import { POSTGRES_ACTIONS } from "../../src/protocols/postgres/actions.ts";
import type { CatalogFacts } from "../../src/protocols/postgres/catalog.ts";
import { CatalogLookup } from "../../src/protocols/postgres/lookup.ts";
import { subjectOf } from "../kit/policy.ts";
import { readCorpus } from "./corpus.ts";
import { CANARY, CARD, LABELS, LOOKUP_QUESTION, PIN, SSN } from "./scripts.ts";

/** What a fuzzed server may do to descriptions before a value in a row is no longer one that has to be hidden. */
type Hides =
  /** Nothing is hidden here. */
  | "nothing"
  /** Only what an honest server describes truly. */
  | "described"
  /** Every value of every row, copy, error and notification, whatever the server says it is. */
  | "everything";

export interface World {
  readonly name: string;
  readonly labels: DataLabels;
  /** A second one with other bytes and the same meaning: the policy may change within a session. */
  readonly policies: readonly Policy[];
  readonly facts: CatalogFacts | undefined;
  readonly hides: Hides;
  /** No byte string of these may reach a client, where it is hidden. */
  readonly canaries: readonly Buffer[];
}

const ALLOW = `
rules:
  - { name: all, on: [connect, sql], allow: {} }`;
const GUARDED = `${ALLOW}
  - name: whole-tables
    on: [sql.delete, sql.update]
    when: "!statement.where.present || statement.where.tautology"
    deny: { message: "DELETE and UPDATE need a WHERE that selects" }
  - { name: no-ddl, on: sql.define, deny: { message: "no changes of the schema" } }`;
const mask = (style: string, when = "") =>
  `\n  - { name: hide-${style}, on: reveal, ${when === "" ? "" : `when: "${when}", `}mask: { style: ${style} } }`;
const PII = "'pii' in column.labels";
const FOUND = "detector in ['payment-card', 'us-ssn', 'secret']";

const SECRETS = [CANARY, CANARY.toUpperCase(), PIN];
const FACTS = recordedFacts();

/** Known by name in reproductions. */
export const WORLDS: readonly World[] = [
  worldOf("open", ALLOW, {}, "nothing", []),
  worldOf("redacted", ALLOW + mask("redact"), {}, "everything", SECRETS),
  worldOf("nulled", ALLOW + mask("null"), {}, "everything", SECRETS),
  worldOf("detected", GUARDED + mask("partial", FOUND), {}, "described", [CARD, SSN]),
  worldOf("labelled", ALLOW + mask("partial", PII), LABELS, "described", SECRETS),
  worldOf("guarded", GUARDED + mask("hash", PII) + mask("partial", FOUND), LABELS, "described", [
    ...SECRETS,
    CARD,
    SSN,
  ]),
];

function worldOf(name: string, rules: string, labels: DataLabels, hides: Hides, canaries: readonly string[]): World {
  const known = { labels: ["pii", "payment"], detectors: DETECTOR_NAMES, connections: ["orders"] };
  const policies = [rules, `${rules}\n# changed`].map((text) =>
    loadPolicy([{ name: "fuzz.yaml", text }], POSTGRES_ACTIONS, known),
  );
  const facts = labels === LABELS ? FACTS : undefined;
  return { name, labels, policies, facts, hides, canaries: canaries.map((text) => Buffer.from(text)) };
}

/** As the product reads what the recorded server said of its catalog. */
function recordedFacts(): CatalogFacts {
  const lookup = new CatalogLookup(LOOKUP_QUESTION);
  for (const { messages } of readCorpus("lookup")) {
    for (const { from, bytes } of messages) {
      const facts = from === "server" ? lookup.receive(bytes) : undefined;
      if (facts !== undefined) return facts;
    }
  }
  throw new Error("Cannot read the catalog facts of the corpus: record it anew");
}

export function worldNamed(name: string): World {
  const found = WORLDS.find((world) => world.name === name);
  if (found === undefined) throw new Error(`Cannot find the world ${name}`);
  return found;
}

const masker = createMasker(new Uint8Array(32).fill(7));
const CANCEL_SECRET = Buffer.from("05060708", "hex");

export const SESSION_ID = "fuzzed1";

/** One judge per policy, for all sessions: they have one name, and each counts its own asks. */
const judges = new Map<Policy, Judge>();

/** Who judges now: `version` counts changes of the policy. */
export function judgeOf({ policies }: World, version: number): Judge {
  const policy = policies[version % policies.length] as Policy;
  let judge = judges.get(policy);
  if (judge === undefined) {
    judge = policy.judge(subjectOf({ sessionId: SESSION_ID }));
    judges.set(policy, judge);
  }
  return judge;
}

/** Everything that a session gets to know. */
export function sessionWorld(world: World): SessionWorld {
  const connection = {
    name: "orders",
    protocol: "postgres",
    addresses: [],
    labels: {},
    tls: { mode: "disable" },
    data: world.labels,
  } as const;
  const judge = judgeOf(world, 0);
  const maskFor: SessionWorld["maskFor"] = (column) =>
    masker.valueMask(column, (detector) => styleOf(column, detector, judge));
  return { sessionId: SESSION_ID, connection, cancelSecret: CANCEL_SECRET, maskFor };
}

/** As path/connection.ts has it: the strictest that policy asks for any column that the value depends on. */
function styleOf(column: ColumnFacts, detector: string, judge: Judge): MaskStyle | undefined {
  const sources = column.sources ?? [column];
  const style = sources.map((source) => judge.reveal(source, detector)).reduce(strictest, undefined);
  return column.isMade === true && detector === "" && style !== undefined ? strictest(style, "redact") : style;
}
