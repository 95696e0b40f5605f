/** A real PostgreSQL, a hostile server for each row, one real daemon before them all, and agents to ask them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { makeCertificate } from "../kit/certificate.ts";
import { Daemon, SALLYPORT } from "../kit/daemon.ts";
import { type Postgres, startPostgres } from "../kit/postgres.ts";
import { GUARDED, HIDE, PEOPLE } from "../system/world.ts";
import type { Sample } from "./bystander.ts";
import type { Call, CallReport } from "./guest.ts";
import { type HostileOptions, HostileServer } from "./hostile.ts";
import { type Row, SAYS } from "./row.ts";

export const PASSWORD = "hostile-servers-secret-6127";
export const USER = "hostile_app";
/** Of the daemon's environment: a secret's file is hidden from what `run` starts, and there is room for few of them. */
const VARIABLE = "SALLYPORT_TEST_HOSTILE_PASSWORD";
const NAME = "upstream.test";
const HEALTHY_PASSWORD = "healthy-servers-secret-3380";

export interface Placed {
  readonly row: Row;
  readonly server: HostileServer;
  /** Of the connection in the settings, and so in every event. */
  readonly connection: string;
}

export interface Certificates {
  readonly right: HostileOptions["certificate"];
  readonly otherName: HostileOptions["certificate"];
  readonly otherAuthority: HostileOptions["certificate"];
  readonly caFile: string;
}

export interface World {
  readonly daemon: Daemon;
  readonly postgres: Postgres;
  readonly placed: readonly Placed[];
  readonly guests: Guests;
  readonly healthyUrl: string;
  stop(): Promise<void>;
}

export function makeCertificates(): Certificates & { remove(): void } {
  const folders = [0, 1, 2].map(() => mkdtempSync(join(tmpdir(), "sallyport-upstreams-")));
  const [right, other, named] = folders.map((folder, at) => makeCertificate(folder, [at === 2 ? "other.test" : NAME]));
  const pair = (files: typeof right) => ({
    cert: readFileSync(files?.certificateFile ?? ""),
    key: readFileSync(files?.keyFile ?? ""),
  });
  const remove = () => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", remove);
  return {
    right: pair(right),
    otherName: pair(named),
    otherAuthority: pair(other),
    caFile: right?.caFile ?? "",
    remove,
  };
}

export async function startWorld(rows: readonly Row[], certificates: Certificates): Promise<World> {
  const options = { password: PASSWORD, certificate: certificates.right };
  const [postgres, ...servers] = await Promise.all([
    startPostgres({ version: 15, password: HEALTHY_PASSWORD }),
    ...rows.map(({ serve }) => HostileServer.listen(serve, options)),
  ] as const);
  const placed = rows.map((row, at): Placed => ({ row, server: servers[at] as HostileServer, connection: `h${at}` }));
  try {
    await postgres.query(PEOPLE);
    process.env[VARIABLE] = PASSWORD;
    const daemon = await Daemon.start({
      settings: `
agents: [{ name: ci, groups: [ci] }]
connections:
  - name: healthy
    protocol: postgres
    addresses: ["127.0.0.1:${postgres.port}"]
    credential: { user: postgres, password: { file: FOLDER/secrets/healthy } }
    tls: { mode: disable }
${placed.map((each) => connectionOf(each, certificates.caFile)).join("")}`,
      policies: { "guarded.yaml": GUARDED, "hide.yaml": HIDE },
      secrets: { healthy: HEALTHY_PASSWORD },
    });
    const guests = new Guests(daemon);
    await guests.line();
    return {
      daemon,
      postgres,
      placed,
      guests,
      healthyUrl: `postgresql://agent:placeholder@127.0.0.1:${postgres.port}/postgres`,
      async stop() {
        await guests.leave();
        await daemon.stop();
        for (const { server } of placed) server.close();
        await postgres.stop();
      },
    };
  } catch (error) {
    for (const { server } of placed) server.close();
    await postgres.stop();
    throw error;
  }
}

function connectionOf({ row, server, connection }: Placed, caFile: string): string {
  const modes = {
    require: "{ mode: require }",
    verified: `{ mode: verify-full, name: ${NAME}, ca: ${caFile} }`,
    disable: "{ mode: disable }",
  };
  const data = row.labelled ? ", data: { public.customers: { columns: { ssn: [pii] } } }" : "";
  const credential = `{ user: ${USER}, password: { env: ${VARIABLE} } }`;
  const where = `protocol: postgres, addresses: ["127.0.0.1:${server.port}"], credential: ${credential}`;
  return `  - { name: ${connection}, ${where}, tls: ${modes[row.tls ?? "disable"]}${data} }\n`;
}

/** A program inside the agent that takes a line and gives one back. */
class Steered {
  readonly #child: ChildProcess;
  readonly #lines: ((line: string) => void)[] = [];
  readonly #gone: Promise<never>;

  constructor(daemon: Daemon, program: string, ...args: readonly string[]) {
    const file = fileURLToPath(new URL(program, import.meta.url));
    const node = [process.execPath, "--disable-warning=ExperimentalWarning", file, ...args];
    const run = ["--run", daemon.runDir, "run", "--quiet", "--as", "ci", "--", ...node];
    this.#child = spawn(SALLYPORT, run, { stdio: ["pipe", "pipe", "inherit"] });
    this.#gone = once(this.#child, "exit").then(([code]) => {
      throw new Error(`The agent's program ended with ${code}`);
    });
    this.#gone.catch(() => {}); // which it may, at the end
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (line) => this.heard(line));
  }

  protected heard(line: string): void {
    this.#lines.shift()?.(line);
  }

  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The next line. */
  line(): Promise<string> {
    return Promise.race([new Promise<string>((resolve) => this.#lines.push(resolve)), this.#gone]);
  }

  async leave(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.stdin?.end();
    await ended;
  }
}

/** Everybody who is a hostile server's client. */
export class Guests extends Steered {
  readonly #waiting = new Map<number, (report: CallReport) => void>();
  #last = 0;

  constructor(daemon: Daemon) {
    super(daemon, "guest.ts");
  }

  protected override heard(line: string): void {
    const { id, ...report } = JSON.parse(line) as CallReport & { id?: number };
    if (id === undefined) super.heard(line);
    else {
      this.#waiting.get(id)?.(report);
      this.#waiting.delete(id);
    }
  }

  call({ row, server }: Placed): Promise<CallReport> {
    return this.callAt(server.port, { staysMs: row.withinMs + 1_000, ...row.call });
  }

  /** Every call to this server is over. */
  hangUp({ server }: Placed): void {
    this.say(JSON.stringify({ hangUp: server.port }));
  }

  callAt(port: number, how: Partial<Call> & Pick<Call, "staysMs">): Promise<CallReport> {
    const id = ++this.#last;
    const call: Call = { port, says: SAYS, answers: 2, reads: "all", ...how };
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.say(JSON.stringify({ id, ...call }));
    });
  }
}

/** Somebody who has nothing to do with hostile servers. */
export class Bystander extends Steered {
  private constructor(world: World, url: string) {
    super(world.daemon, "bystander.ts", url, `${world.daemon.pid}`);
  }

  /** Resolves when its first query was answered. */
  static async start(world: World, url: string = world.healthyUrl): Promise<Bystander> {
    const bystander = new Bystander(world, url);
    await bystander.line();
    return bystander;
  }

  /** What it has seen since the last time. */
  async samples(): Promise<readonly Sample[]> {
    const line = this.line();
    this.say("");
    return JSON.parse(await line) as Sample[];
  }
}

/** Descriptors of the daemon; sockets of clients that have just left take a moment to go. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

const SETTLE_MS = 10_000;

export async function eventually(isSo: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  for (const end = Date.now() + SETTLE_MS; !(await isSo()); await new Promise((resolve) => setTimeout(resolve, 50))) {
    if (Date.now() > end) throw new Error(what());
  }
}
