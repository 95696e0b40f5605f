/** Policies, subjects and operations for tests: a small SQL-like catalogue that no protocol owns. */
import type { Agent } from "../../src/model/identity.ts";
import type { ActionDeclaration, Asked, Facts, FactType, Operation } from "../../src/model/operation.ts";
import type { Origin } from "../../src/model/origin.ts";
import type { Subject } from "../../src/policy/decide.ts";
import { loadPolicy, type Policy } from "../../src/policy/load.ts";

const TABLE: FactType = {
  object: "Table",
  fields: { schema: "string", name: "string", labels: { list: "string" } },
};
const STATEMENT: FactType = {
  object: "Statement",
  fields: {
    text: "string",
    tables: { list: TABLE },
    where: { object: "Where", fields: { present: "bool", tautology: "bool" } },
    joins: "int",
  },
};

export const SAMPLE_CATALOGUE: readonly ActionDeclaration[] = [
  { name: "sql", about: "Any statement", facts: { statement: STATEMENT } },
  { name: "sql.read", about: "SELECT", facts: { statement: STATEMENT } },
  { name: "sql.delete", about: "DELETE", facts: { statement: STATEMENT } },
  { name: "sql.define", about: "CREATE, ALTER, DROP", facts: { statement: STATEMENT, kind: "string" } },
  { name: "exec", about: "A command", facts: { pod: { object: "Pod", fields: { labels: { map: "string" } } } } },
];

export const SAMPLE_NAMES = {
  labels: ["pii", "payment"],
  detectors: ["payment-card", "us-ssn", "email", "secret"],
  connections: ["orders", "billing"],
};

/** The policy of one file's text. */
export function policyOf(text: string, catalogue: readonly ActionDeclaration[] = SAMPLE_CATALOGUE): Policy {
  return loadPolicy([{ name: "test.yaml", text }], catalogue, SAMPLE_NAMES);
}

export const SAMPLE_AGENT: Agent = { slot: 1, name: "ci", groups: ["ci"], claims: { repository: "acme/shop" } };

export const SAMPLE_ORIGIN: Origin = {
  address: "192.0.2.10",
  port: 5432,
  sourceAddress: "192.0.2.20",
  sourcePort: 40_000,
  netnsCookie: 1n,
  cgroupId: 2n,
  tagCgroupId: 2n,
  cgroup: "/agents/ci",
  pid: 4242,
  uid: 1000,
  user: "runner",
  comm: "psql",
  executable: "/usr/bin/psql",
};

/** Agent "ci" on connection "orders" at Wednesday 2025-01-15 13:45:10 UTC, changed by `changes`. */
export function subjectOf(changes: Partial<Subject> = {}): Subject {
  return {
    sessionId: "session-1",
    agent: SAMPLE_AGENT,
    origin: SAMPLE_ORIGIN,
    connection: { name: "orders", protocol: "postgres", labels: { environment: "prod" } },
    clock: { nowMs: () => Date.UTC(2025, 0, 15, 13, 45, 10) },
    ...changes,
  };
}

/** Facts of a statement of the sample catalogue. */
export function statementOf(changes: { readonly [name: string]: Facts[string] } = {}): Facts {
  return {
    statement: {
      text: "select 1",
      tables: [],
      where: { present: false, tautology: false },
      joins: 0,
      ...changes,
    },
  };
}

/** A frozen operation of the given actions. */
export function operationOf(...actions: readonly { readonly name: string; readonly facts: Facts }[]): Operation {
  return Object.freeze({ actions });
}

export function askedOf(operation: Operation, text = ""): Asked {
  return { operation, text };
}

export const CONNECT_FACTS: Facts = { database: "shop", user: "app" };
