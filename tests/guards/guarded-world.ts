/**
 * A real server with the suite's template, a real daemon before it, and one policy at a time in force. Makes databases,
 * speaks rows as the agent or past the guard, and looks at what changed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { capture, type Outcome, SALLYPORT } from "../kit/daemon.ts";
import { PEOPLE, startWorld, type World } from "../system/world.ts";
import type { PolicyName } from "./attack.ts";
import { POLICIES } from "./policies.ts";
import type { SpeakerJob, SpeakerReport, SpeakerRow } from "./speaker.ts";
import { SHARED_STATE, TEMPLATE, TOKEN } from "./template.ts";

type Encoding = "UTF8" | "SQL_ASCII";
const TEMPLATES: Readonly<Record<Encoding, string>> = { UTF8: "guard_template", SQL_ASCII: "guard_ascii" };
const SPEAKER = fileURLToPath(new URL("speaker.ts", import.meta.url));
const AS_AGENT = ["run", "--quiet", "--as", "ci", "--"] as const;
/** Functions that attacks call by their OIDs. */
const CALLED = ["clear()"] as const;

/** Of nobody's use but to be changed: two attacks on one role would wait for each other. */
const ROLES = ["reporting", ...Array.from({ length: 8 }, (_, at) => `role_${at + 1}`)];

/** Who sends: the agent through the daemon, or the owner at the server's own socket. */
export type Side = "agent" | "direct";

export class GuardedWorld {
  readonly world: World;
  readonly version: number;
  /** Files that attacks write, and the secret ones that they read. */
  readonly #sinks: string;
  readonly #oids: ReadonlyMap<string, number>;
  readonly #fresh = new Map<string, Promise<string>>();
  readonly #speakers: Readonly<Record<Side, Speaker>>;

  private constructor(world: World, version: number, oids: ReadonlyMap<string, number>) {
    this.world = world;
    this.version = version;
    this.#oids = oids;
    this.#sinks = mkdtempSync(join(tmpdir(), "sallyport-guards-"));
    chmodSync(this.#sinks, 0o755);
    const program = [process.execPath, "--disable-warning=ExperimentalWarning", SPEAKER];
    const [node = "", ...args] = program;
    const { runDir } = world.daemon;
    this.#speakers = {
      agent: new Speaker(SALLYPORT, ["--run", runDir, ...AS_AGENT, ...program]),
      direct: new Speaker(node, args),
    };
  }

  static async start(version: 15 | 18): Promise<GuardedWorld> {
    const policies = { "guarded.yaml": POLICIES["no-ddl"] };
    const settings = {
      autovacuum: "off",
      jit: "off",
      log_statement: "none",
      max_connections: "60",
      max_prepared_transactions: "10",
      wal_level: "logical",
    };
    const world = await startWorld({ policies, version, settings });
    try {
      for (const role of ROLES) await world.postgres.query(`CREATE ROLE ${role} NOLOGIN`);
      await world.postgres.query(TEMPLATE);
      const oids = new Map<string, number>();
      for (const signature of CALLED) {
        const [row] = await world.postgres.query(`SELECT '${signature}'::regprocedure::oid::int AS oid`);
        oids.set(signature, Number(row?.["oid"]));
      }
      await world.postgres.query(`CREATE DATABASE ${TEMPLATES.UTF8} TEMPLATE postgres`);
      const ascii = TEMPLATES.SQL_ASCII;
      await world.postgres.query(`CREATE DATABASE ${ascii} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'`);
      await world.postgres.query(PEOPLE + TEMPLATE, ascii);
      return new GuardedWorld(world, version, oids);
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const speaker of Object.values(this.#speakers)) await speaker.end();
    rmSync(this.#sinks, { recursive: true, force: true });
    await this.world.stop();
  }

  /** Puts one of the suite's policies into force, and nothing else. */
  async enforce(policy: PolicyName): Promise<void> {
    const { daemon } = this.world;
    writeFileSync(join(daemon.folder, "policies", "guarded.yaml"), POLICIES[policy]);
    const { code, stderr } = await daemon.cli(["reload"]);
    if (code !== 0) throw new Error(`Cannot put the policy ${policy} into force: ${stderr}`);
  }

  /** Names a table of the connection in the settings, so that its catalog is asked, or no longer. */
  async knowCatalog(isKnown: boolean): Promise<void> {
    const { daemon } = this.world;
    const plain = readFileSync(daemon.configFile, "utf8").replace(/^ {4}data: .*\n/m, "");
    const named = plain.replace(/^ {4}tls: .*\n/m, (line) => `${line}    data: { public.products: { labels: [] } }\n`);
    writeFileSync(daemon.configFile, isKnown ? named : plain);
    const { code, stderr } = await daemon.cli(["reload"]);
    if (code !== 0) throw new Error(`Cannot put the settings into force: ${stderr}`);
  }

  /** A fresh copy of the template. */
  async makeDatabase(name: string, encoding: Encoding = "UTF8"): Promise<void> {
    await this.world.postgres.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATES[encoding]}`);
  }

  /** What `ask` says of a fresh copy. */
  askFresh(sql: string, encoding: Encoding = "UTF8"): Promise<string> {
    const key = encoding + sql;
    const known = this.#fresh.get(key) ?? this.ask(sql, TEMPLATES[encoding]);
    this.#fresh.set(key, known);
    return known;
  }

  /** With whatever would keep it. */
  async dropDatabase(name: string): Promise<void> {
    const { postgres } = this.world;
    const kept = await postgres.query(`
      SELECT format('ROLLBACK PREPARED %L', gid) AS end FROM pg_prepared_xacts WHERE database = '${name}'
      UNION ALL SELECT format('DROP SUBSCRIPTION %I', subname)
        FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE datname = '${name}'`);
    for (const { end } of kept) await postgres.query(String(end), name);
    await postgres.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }

  /** A folder that the server may write, with a secret in it. */
  makeSink(name: string): string {
    const sink = join(this.#sinks, name);
    mkdirSync(sink);
    writeFileSync(join(sink, "secret.txt"), `${TOKEN}\n`, { mode: 0o644 });
    chmodSync(sink, 0o777);
    return sink;
  }

  functionOid = (signature: string): number => {
    const oid = this.#oids.get(signature);
    if (oid === undefined) throw new Error(`No attack may call ${signature}: its OID was not asked for`);
    return oid;
  };

  /** A hash of what all databases share. */
  async sharedState(): Promise<string> {
    return this.ask(SHARED_STATE, "template1");
  }

  /** All rows of an answer, as one text. */
  async ask(sql: string, database: string): Promise<string> {
    return JSON.stringify(await this.world.postgres.query(sql, database));
  }

  /** A session that an attack may try to end. */
  async victim(name: string): Promise<Victim> {
    const { socketFolder: host, port } = this.world.postgres;
    return Victim.open(new pg.Client({ host, port, database: "template1", user: "postgres", application_name: name }));
  }

  userOf(side: Side): string {
    return side === "agent" ? "agent" : "postgres";
  }

  /** Each row on a connection of its own, some at once. */
  speak(side: Side, rows: readonly SpeakerRow[], atOnce = 4): Promise<readonly SpeakerReport[]> {
    const { postgres } = this.world;
    const { port } = postgres;
    const job: SpeakerJob = { host: side === "agent" ? "127.0.0.1" : postgres.socketFolder, port, atOnce, rows };
    return this.#speakers[side].speak(job);
  }

  /** psql with `input` as its script. */
  async psql(side: Side, database: string, input: string): Promise<Outcome> {
    const { postgres, daemon } = this.world;
    const words = (host: string, user: string) => [
      "psql",
      "-X",
      "-h",
      host,
      "-p",
      `${postgres.port}`,
      "-U",
      user,
      database,
    ];
    const [file = "", ...args] = words(postgres.socketFolder, "postgres");
    return side === "agent"
      ? daemon.cli([...AS_AGENT, ...words("127.0.0.1", "agent")], { input })
      : capture(file, args, { input });
  }
}

/** A process that speaks for one side, for as long as the world is there. */
class Speaker {
  readonly #child: ChildProcess;
  readonly #waiting: ((line: string) => void)[] = [];
  #gone: Error | undefined;

  constructor(file: string, args: readonly string[]) {
    const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    createInterface({ input: child.stdout }).on("line", (line) => this.#waiting.shift()?.(line));
    child.once("exit", (code) => {
      this.#gone = new Error(`The speaker has ended with ${code}`);
      for (const waiting of this.#waiting) waiting("[]");
    });
  }

  async speak(job: SpeakerJob): Promise<readonly SpeakerReport[]> {
    if (job.rows.length === 0) return [];
    const line = await new Promise<string>((resolve) => {
      this.#waiting.push(resolve);
      if (this.#gone === undefined) this.#child.stdin?.write(`${JSON.stringify(job)}\n`);
      else resolve("[]");
    });
    const reports = JSON.parse(line) as SpeakerReport[];
    if (reports.length !== job.rows.length) throw this.#gone ?? new Error("Some rows did not come back");
    return reports;
  }

  async end(): Promise<void> {
    if (this.#gone !== undefined) return;
    const ended = once(this.#child, "exit");
    this.#child.stdin?.end();
    await ended;
  }
}

/** Ended when somebody else ends it. */
export class Victim {
  isEnded = false;
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async open(client: pg.Client): Promise<Victim> {
    const victim = new Victim(client);
    client.on("error", () => {
      victim.isEnded = true;
    });
    await client.connect();
    return victim;
  }

  /** Whether the session was alive to the last. */
  async end(): Promise<boolean> {
    const isAlive = await this.#client.query("SELECT 1").then(
      () => true,
      () => false,
    );
    await this.#client.end().catch(() => {});
    return isAlive && !this.isEnded;
  }
}
