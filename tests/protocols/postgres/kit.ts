/** Sessions for tests: an analysis that goes by the first word, masks by what a value says, an opened session. */
import type { DataLabels } from "../../../src/model/connection.ts";
import type { MaskFor } from "../../../src/model/mask.ts";
import type { SessionWorld } from "../../../src/model/protocol.ts";
import { type CatalogFacts, type CatalogRelation, catalogFacts } from "../../../src/protocols/postgres/catalog.ts";
import { CLEAN_OUTPUTS } from "../../../src/protocols/postgres/lineage/outputs.ts";
import type { Analyse } from "../../../src/protocols/postgres/requests.ts";
import { PostgresSession } from "../../../src/protocols/postgres/session.ts";
import * as play from "../../kit/playbook.ts";
import { client, hex, join, server } from "../../kit/wire.ts";

const ACTIONS: Readonly<Record<string, string>> = {
  select: "sql.read",
  table: "sql.read",
  insert: "sql.insert",
  delete: "sql.delete",
  drop: "sql.define",
  create: "sql.define",
  copy: "sql.copy",
  execute: "sql.call",
};

/** One statement for each part between semicolons; "garbage" is forbidden. */
export const analyseByFirstWord: Analyse = (text) => {
  const parts = text.split(";").map((part) => part.trim());
  const statements = parts
    .filter((part) => part !== "")
    .map((part) => {
      const word = part.split(" ")[0]?.toLowerCase() ?? "";
      const name = ACTIONS[word];
      const actions = name === undefined ? [] : [{ name, facts: {} }];
      const forbidden = { rule: "built-in:unparsable", message: "Cannot be parsed" } as const;
      const copy = word !== "copy" ? "none" : /from stdin/i.test(part) ? "in" : "out";
      return {
        operation: Object.freeze(word === "garbage" ? { actions, forbidden } : { actions }),
        text: part,
        shareable: false,
        effects: {
          definesSchema: name === "sql.define",
          copy,
          copyForm: undefined,
          returnsRows: name === "sql.read",
          outputs: CLEAN_OUTPUTS,
          labelled: true,
          ...(word === "declare" ? { declares: part.split(" ")[1] ?? "" } : {}),
          resultVaries: false,
          runsCode: name === "sql.call",
        } as const,
      };
    });
  return { statements };
};

/** Labelled columns become "***", of other types NULL; a card number in any text becomes "[card]". */
export const maskPlainly: MaskFor = (column) => {
  if (column.labels.length > 0) {
    const value = column.valueKind === "other" ? null : Buffer.from("***");
    return () => ({ value, by: `label:${column.labels[0]}` });
  }
  if (column.valueKind === "other") return undefined;
  return (value) => {
    const text = Buffer.from(value).toString("latin1");
    if (!text.includes(CARD)) return undefined;
    return { value: Buffer.from(text.replaceAll(CARD, "[card]"), "latin1"), by: "detector:payment-card" };
  };
};

export const CARD = "4111111111111111";
/** The first four bytes are shown, because the server's own are so many. */
export const CANCEL_SECRET = hex("0506070809");
/** The server's process and our secret. */
export const CANCEL_KEY = hex("0102030405060708");

export interface WorldOptions {
  readonly maskFor?: MaskFor;
  readonly data?: DataLabels;
  readonly known?: SessionWorld["known"];
}

export function worldOf({ maskFor = () => undefined, data = {}, known }: WorldOptions = {}): SessionWorld {
  const connection = {
    name: "orders",
    protocol: "postgres",
    addresses: [],
    labels: {},
    tls: { mode: "disable" },
    data,
  } as const;
  const more = known === undefined ? {} : { known };
  return { sessionId: "s1", connection, maskFor, cancelSecret: CANCEL_SECRET, ...more };
}

export function sessionOf(options: WorldOptions = {}): PostgresSession {
  return new PostgresSession(worldOf(options), analyseByFirstWord);
}

const PARAMETERS = [
  ["client_encoding", "UTF8"],
  ["standard_conforming_strings", "on"],
] as const;
const SAID = PARAMETERS.map(([name, value]) => server.parameter(name, value));

export const GREETING = {
  parameters: PARAMETERS,
  said: [...SAID, server.keyData(hex("0102030400000000"))],
  status: "I",
  minor: 0,
} as const;

/** What the client reads when its login is done. */
export const GREETED = join(server.authenticationOk(), ...SAID, server.keyData(CANCEL_KEY), server.ready());

export const STARTUP = client.startup({ user: "agent", database: "shop" });

/** A session that is ready for its first statement; the next ask has number 2. */
export function opened(options: WorldOptions = {}): play.Playbook {
  return new play.Playbook(sessionOf(options))
    .gets(play.start, play.fromClient(STARTUP))
    .does(play.ask(1, [["connect", "connect to shop"]]))
    .gets(play.allow(1))
    .does(play.login(1, { database: "shop", parameters: {} }))
    .gets(play.loggedIn(GREETING))
    .does(play.toClient(GREETED));
}

export const LABELS: DataLabels = { "public.customers": { labels: [], columns: { ssn: ["pii"] } } };
export const CUSTOMERS = 20_001;
export const CUSTOMER_VIEW = 20_002;
export const CLEAN = 20_003;

const customers: CatalogRelation = {
  oid: CUSTOMERS,
  schema: "public",
  name: "customers",
  kind: "r",
  standing: "labelled",
  labels: [],
  columns: new Map([
    [1, { name: "id", labels: [], typeOid: 23 }],
    [2, { name: "ssn", labels: ["pii"], typeOid: 25 }],
  ]),
};
const view: CatalogRelation = {
  oid: CUSTOMER_VIEW,
  schema: "public",
  name: "v",
  kind: "v",
  standing: "derived",
  labels: ["pii"],
  columns: new Map(),
};

export function catalogOf(version = "v1", clean: readonly number[] = []): CatalogFacts {
  return catalogFacts(version, [customers, view], clean);
}

/** The same on a connection with labels; looks and asks are numbered together, the next is 3. */
export function openedWithLabels(options: WorldOptions = {}): play.Playbook {
  return new play.Playbook(sessionOf({ maskFor: maskPlainly, data: LABELS, ...options }))
    .gets(play.start, play.fromClient(STARTUP))
    .does(play.ask(1, [["connect", "connect to shop"]]))
    .gets(play.allow(1))
    .does(play.login(1, { database: "shop", parameters: {} }))
    .gets(play.loggedIn(GREETING))
    .does(play.look(2, { kind: "catalog", labels: LABELS }))
    .gets(play.facts(2, catalogOf()))
    .does(play.toClient(GREETED));
}

/** The ErrorResponse of a refusal. */
export function refusalOf(rule: string, severity = "ERROR", message = `refused by ${rule}`): Buffer {
  return server.error({
    S: severity,
    V: severity,
    C: "42501",
    M: message,
    D: `rule ${rule}, session s1`,
    H: "This was refused by Sallyport, not by the database. Ask those who keep the policy, with the session id.",
  });
}

export function fatalOf(code: string, message: string): Buffer {
  return server.error({ S: "FATAL", V: "FATAL", C: code, M: message, D: "Sallyport session s1" });
}

const FAILING = "sallyport refused this statement";
export const FAILING_ASKED = [["", "(a statement that fails, in place of the refused one)"]];
export const FAILING_QUERY = client.query(FAILING);
export const FAILING_SERIES = join(client.parse("sallyport.refused", FAILING), client.sync());
export const FAILING_PART = join(client.parse("sallyport.refused", FAILING), client.flush());
/** What the server says to any of them. */
export const SYNTAX_ERROR = server.error({
  S: "ERROR",
  V: "ERROR",
  C: "42601",
  M: 'syntax error at or near "sallyport"',
});
