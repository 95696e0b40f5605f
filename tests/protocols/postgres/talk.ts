/** A session that could be relayed, with the analysis of the product and somebody who allows everything. */
import assert from "node:assert/strict";
import type { Form } from "../../../src/model/form.ts";
import type { MaskFor } from "../../../src/model/mask.ts";
import { mintPermit } from "../../../src/model/permit.ts";
import type { SessionCommand, SessionEvent } from "../../../src/model/session.ts";
import { Analyser } from "../../../src/protocols/postgres/analysis/analyse.ts";
import { PostgresSession } from "../../../src/protocols/postgres/session.ts";
import { allowLimited, deny, fromClient, fromServer, loggedIn, start } from "../../kit/playbook.ts";
import { client, join, server } from "../../kit/wire.ts";
import { GREETING, STARTUP, worldOf } from "./kit.ts";

const { bind, describe, execute, parse, sync } = client;
const analyser = new Analyser();
await analyser.prepare();

export const INT = 23;
export const QUERY = "SELECT n FROM t WHERE n = 7";
export const NUMBERS = server.columns({ name: "n", type: INT });
export const READY = server.ready();
export const BOUND = join(server.bound(), server.row("7"), server.complete("SELECT 1"), READY);
export const ROWS = join(NUMBERS, server.row("7"), server.complete("SELECT 1"), READY);

/** As a driver runs what it has prepared. */
export const run = (values: readonly (string | null)[] = ["7"], name = "s") =>
  join(bind("", name, { values }), execute(""), sync());

interface Once {
  readonly text?: string;
  readonly types?: readonly number[];
  readonly formats?: readonly number[];
  readonly value?: string | Buffer;
}

export const TEXT = "SELECT n FROM t WHERE n = $1";
/** As it runs what it has not prepared, and what comes back. */
export const once = ({ text = TEXT, types = [], formats = [], value = "7" }: Once = {}) =>
  join(parse("", text, types), bind("", "", { formats, values: [value] }), describe("P", ""), execute(""), sync());
export const ONCE = [server.parsed(), server.bound(), ROWS];

/** A session that is allowed everything, and could be relayed at once. */
export class Talk {
  readonly #session: PostgresSession;
  readonly #verdict: (id: number) => SessionEvent;
  lastId = 0;
  rest: Extract<SessionCommand, { kind: "rest" }> | undefined;
  asked: string[] = [];
  readonly shown: Buffer[] = [];

  constructor(
    options: { readonly maskFor?: MaskFor; readonly limited?: true; readonly tls?: true } = {},
    analyse = analyser,
  ) {
    const permit = (id: number) => mintPermit("s1", id, new Uint8Array());
    this.#verdict = (id) =>
      options.limited === true && id > 1
        ? allowLimited(id)
        : { kind: "verdict", id, decision: { kind: "allow", permit: permit(id), rules: [], policy: "p1" } };
    const world = { ...worldOf(options), relay: "always" } as const;
    this.#session = new PostgresSession(world, (text, scope) => analyse.analyse(text, scope));
    this.gives(start);
    if (options.tls === true) this.gives(fromClient(client.sslRequest()), { kind: "secured" });
    this.gives(fromClient(STARTUP), loggedIn(GREETING));
  }

  gives(...events: readonly SessionEvent[]): this {
    for (const event of events) this.#give(event);
    return this;
  }

  #give(event: SessionEvent): void {
    this.rest = undefined;
    for (const command of this.#session.handle(event)) {
      if (command.kind === "rest") this.rest = command;
      if (command.kind === "toClient") this.shown.push(Buffer.from(command.bytes));
      if (command.kind === "close") assert.fail(`it closed: ${command.reason}`);
      if (command.kind !== "ask") continue;
      this.lastId = command.id;
      this.asked.push(...command.asked.map(({ operation, text }) => operation.forbidden?.rule ?? text));
      const isForbidden = command.asked.some(({ operation }) => operation.forbidden !== undefined);
      this.#give(isForbidden ? deny(command.id, "forbidden") : this.#verdict(command.id));
    }
  }

  says(group: Buffer, ...answer: readonly Buffer[]): this {
    return this.gives(fromClient(group), fromServer(...answer));
  }

  /** A statement "s" that the server has described, before anything else. */
  prepared(text = "SELECT n FROM t WHERE n = $1", columns = NUMBERS, name = "s"): this {
    const described = [server.parsed(), server.parameters(INT), columns, READY];
    return this.says(join(parse(name, text), describe("S", name), sync()), ...described);
  }

  get forms(): readonly Form[] {
    return this.rest?.forms ?? [];
  }
}
