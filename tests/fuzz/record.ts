/**
 * Records the corpus from a real PostgreSQL server of its own: what each script's client says and what the server
 * answers, a login by SCRAM, and the catalog's answer to the product's own lookup. Writes corpus/*.txt.
 */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { PostgresLogin } from "../../src/protocols/postgres/login.ts";
import { CatalogLookup } from "../../src/protocols/postgres/lookup.ts";
import { startPostgres } from "../kit/postgres.ts";
import { client } from "../kit/wire.ts";
import { CORPUS, type Conversation, conversationText, framesOf, type Message } from "./corpus.ts";
import { derived, LOGIN_NONCE, LOGIN_PASSWORD, LOGIN_REQUEST } from "./logins.ts";
import { LABELS, SCRIPTS, type Script, SETUP } from "./scripts.ts";

const DATABASE = "shop";
/** A server that says nothing for so long will not: a script waits for what does not come. */
const HEAR_MS = 20_000;

/** The number of conversations that were written. */
export async function recordCorpus(): Promise<number> {
  const postgres = await startPostgres({ version: 18, password: LOGIN_PASSWORD });
  try {
    await postgres.query(`CREATE DATABASE ${DATABASE}`);
    await postgres.query(`${SETUP} ALTER ROLE app PASSWORD '${LOGIN_PASSWORD}'`, DATABASE);
    const path = join(postgres.socketFolder, `.s.PGSQL.${postgres.port}`);
    const local = () => Talk.start(connect(path));
    const found: Conversation[] = [];
    for (const script of SCRIPTS) {
      const conversation = await recorded(script, await local()).catch((cause) => {
        throw new Error(`Cannot record ${script.topic} ${script.name}`, { cause });
      });
      found.push(conversation);
    }
    const clean = await postgres.query("SELECT oid FROM pg_class WHERE relname IN ('orders', 'log', 'made')", DATABASE);
    found.push(
      await lookUp(
        await local(),
        clean.map(({ oid }) => Number(oid)),
      ),
    );
    found.push(await logIn(new Talk(connect(postgres.port, "127.0.0.1"))));
    write(found, (await postgres.query("SHOW server_version"))[0]?.["server_version"]);
    return found.length;
  } finally {
    await postgres.stop();
  }
}

/** One connection; remembers all that is said. */
class Talk {
  readonly said: Message[] = [];
  readonly #socket: Socket;
  #unread = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async start(socket: Socket): Promise<Talk> {
    const talk = new Talk(socket);
    talk.send(client.startup({ user: "app", database: DATABASE }));
    await talk.hear("Z", 1);
    talk.said.length = 0;
    return talk;
  }

  send(bytes: Buffer): void {
    this.said.push({ from: "client", bytes });
    this.#socket.write(bytes);
  }

  /** Reads up to the `times`th message of this type. */
  async hear(until: string, times: number): Promise<readonly Buffer[]> {
    const heard: Buffer[] = [];
    for (let left = times; left > 0; ) {
      const frame = this.#frame();
      if (frame === undefined) {
        const [chunk] = (await once(this.#socket, "data", { signal: AbortSignal.timeout(HEAR_MS) })) as [Buffer];
        this.#unread = Buffer.concat([this.#unread, chunk]);
        continue;
      }
      this.said.push({ from: "server", bytes: frame });
      heard.push(frame);
      if (String.fromCharCode(frame[0] ?? 0) === until) left--;
    }
    return heard;
  }

  end(): void {
    this.#socket.destroy();
  }

  #frame(): Buffer | undefined {
    const [frame] = framesOf(this.#unread);
    if (frame === undefined || frame.length < 5 || frame.length < 1 + frame.readInt32BE(1)) return undefined;
    this.#unread = this.#unread.subarray(frame.length);
    return frame;
  }
}

async function recorded({ topic, name, turns }: Script, talk: Talk): Promise<Conversation> {
  for (const { messages, until, times } of turns) {
    for (const message of messages) talk.send(message);
    await talk.hear(until, times);
  }
  talk.end();
  return { topic, name, messages: talk.said };
}

async function lookUp(talk: Talk, oids: readonly number[]): Promise<Conversation> {
  const lookup = new CatalogLookup({ kind: "relations", labels: LABELS, oids, fresh: true });
  talk.send(Buffer.from(lookup.start()));
  await talk.hear("Z", 1);
  talk.end();
  return { topic: "lookup", name: "catalog", messages: talk.said };
}

/** The product's own login with a fixed nonce, so that the kept answers fit whenever it is replayed. */
async function logIn(talk: Talk): Promise<Conversation> {
  const credential = { user: "app", password: Buffer.from(LOGIN_PASSWORD) };
  const login = new PostgresLogin(LOGIN_REQUEST, { credential, tls: { mode: "disable" }, nonce: LOGIN_NONCE });
  let commands = login.handle({ kind: "start" });
  for (const [until, times] of [
    ["R", 1],
    ["R", 1],
    ["Z", 1],
  ] as const) {
    for (const command of commands) if (command.kind === "toServer") talk.send(Buffer.from(command.bytes));
    commands = login.handle({ kind: "server", bytes: Buffer.concat(await talk.hear(until, times)) });
    const [command] = commands;
    if (command?.kind === "derive") commands = login.handle({ kind: "derived", key: derived(command) });
  }
  talk.end();
  if (commands.at(-1)?.kind !== "done") throw new Error(`Cannot record the login: ${JSON.stringify(commands)}`);
  return { topic: "login", name: "scram", messages: talk.said };
}

function write(found: readonly Conversation[], version: unknown): void {
  for (const topic of new Set(found.map((conversation) => conversation.topic))) {
    const own = found.filter((conversation) => conversation.topic === topic);
    const head = `# Recorded from PostgreSQL ${version} by "npm run fuzz -- --record"; see corpus.ts for the form.\n`;
    writeFileSync(join(CORPUS, `${topic}.txt`), [head, ...own.map(conversationText)].join("\n"));
  }
}
