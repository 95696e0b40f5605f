/** A real daemon for tests: its own state, run folder, listener port and pins; all gone after `stop`. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DaemonOptions {
  /** YAML without `interception` and `policies`: those are added. */
  readonly settings: string;
  /** File name to YAML. */
  readonly policies: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** What starts it instead of being it: a program and arguments that end by executing those that follow. */
  readonly wrapper?: readonly string[];
  /** Unless told, below the test's folder. */
  readonly stateDir?: string;
  /** Unless told, as the environment says. */
  readonly relay?: "auto" | "off" | "always";
}

/** What tests start is nobody's who logged in: or root would be barred from answering for it. Needs CAP_AUDIT_CONTROL. */
try {
  writeFileSync("/proc/self/loginuid", "4294967295");
} catch {
  // it is so already, or the kernel keeps none
}

/** Each test process gets ports of its own above the ephemeral range; two daemons of one process must differ too. */
let nextPort = 61_000 + (process.pid % 400) * 10;

/**
 * `SALLYPORT_RELAY=always` or `off` runs a test that way (docs/performance.md). Neither leg has TLS then, or else
 * nothing could go past a session.
 */
const RELAY = (process.env["SALLYPORT_RELAY"] ?? "auto") as NonNullable<DaemonOptions["relay"]>;
const IS_PLAIN = RELAY !== "auto";

const PLAIN = IS_PLAIN ? { PGSSLMODE: "disable" } : {};

/** Of a connection in the settings: `own`, unless the test is about the relay. */
export const upstreamTls = (own: string): string => (IS_PLAIN ? "{ mode: disable }" : own);

export class Daemon {
  readonly folder: string;
  readonly runDir: string;
  readonly stateDir: string;
  readonly configFile: string;
  readonly port: number;
  readonly #wrapper: readonly string[];
  #child: ChildProcess | undefined;
  output = "";

  private constructor(options: DaemonOptions) {
    this.folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
    this.runDir = join(this.folder, "run");
    this.stateDir = options.stateDir ?? join(this.folder, "state");
    this.configFile = join(this.folder, "sallyport.yaml");
    this.port = nextPort++;
    this.#wrapper = options.wrapper ?? [];
    for (const folder of ["policies", "secrets"]) mkdirSync(join(this.folder, folder), { mode: 0o700 });
    this.configure(options);
  }

  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    process.once("exit", daemon.#abandon);
    await daemon.up();
    return daemon;
  }

  /** Writes settings, policies and secrets; a running daemon reads them at `reload`. `FOLDER` stands for the test's folder. */
  configure({ settings, policies, secrets = {}, relay = RELAY }: DaemonOptions): void {
    for (const [name, text] of Object.entries(policies)) writeFileSync(join(this.folder, "policies", name), text);
    for (const [name, text] of Object.entries(secrets)) {
      writeFileSync(join(this.folder, "secrets", name), text, { mode: 0o600 });
    }
    const own = `policies: ${join(this.folder, "policies")}\ninterception: { port: ${this.port}, relay: ${relay} }\n`;
    writeFileSync(this.configFile, settings.replaceAll("FOLDER", this.folder) + own);
  }

  /** Starts (again) and waits until it serves; rejects with its output when it ends instead. */
  async up(environment: NodeJS.ProcessEnv = {}): Promise<void> {
    const own = [SALLYPORT, "--run", this.runDir, "up", "--config", this.configFile, "--state", this.stateDir];
    const [program = SALLYPORT, ...args] = [...this.#wrapper, ...own];
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      const hear = (bytes: Buffer) => {
        this.output += bytes;
        if (/^info +ready/m.test(this.output)) resolve();
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      child.once("error", reject);
      child.once("exit", (code, signal) =>
        reject(new Error(`The daemon ended with ${code ?? signal}:\n${this.output}`)),
      );
    });
    this.output = "";
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error("The daemon does not run");
    return this.#child.pid;
  }

  /** Resolves when it has ended by itself. */
  async ended(): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }

  /** SIGKILL, at once; the kernel side stays. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** Any command of the CLI against this daemon. Never rejects for an exit code. */
  cli(
    args: readonly string[],
    options: { readonly input?: string; readonly timeoutMs?: number } = {},
  ): Promise<Outcome> {
    return capture(SALLYPORT, ["--run", this.runDir, ...args], options);
  }

  /** A command as agent `as`, unmodified, with a summary on stderr. */
  run(as: string, argv: readonly string[], options: { readonly input?: string } = {}): Promise<Outcome> {
    return this.cli(["run", "--as", as, "--", ...argv], options);
  }

  /** Everything the CLI can say as JSON. */
  async json<T>(args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.cli(["--json", ...args]);
    if (code !== 0) throw new Error(`sallyport ${args.join(" ")} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** A test process that ends without `stop` leaves nothing attached to the host's cgroups. */
  readonly #abandon = (): void => {
    this.#child?.kill("SIGKILL");
    spawnSync(SALLYPORT, ["--run", this.runDir, "down", "--remove", "--state", this.stateDir], { timeout: 10_000 });
    rmSync(this.folder, { recursive: true, force: true });
  };

  /** Ends the daemon and removes every trace of it. */
  async stop(): Promise<void> {
    process.off("exit", this.#abandon);
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      await this.cli(["down"]);
      if (child.exitCode === null && child.signalCode === null) await this.kill();
    }
    await this.cli(["down", "--remove", "--state", this.stateDir]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** All lines of the audit trail so far; one that is being written comes the next time. */
  events(): Record<string, unknown>[] {
    const folder = join(this.stateDir, "events");
    const text = readdirSync(folder)
      .sort()
      .map((file) => readFileSync(join(folder, file), "utf8")); // names are numbers
    const lines = text.join("").split("\n").slice(0, -1).filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

/** Runs a program to its end; stdin is `input` or empty. At most `timeoutMs` (60 s), then SIGKILL. */
export function capture(
  file: string,
  args: readonly string[],
  options: { readonly input?: string; readonly timeoutMs?: number; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      {
        encoding: "utf8",
        timeout: options.timeoutMs ?? 60_000,
        killSignal: "SIGKILL",
        maxBuffer: 64 * 1024 * 1024,
        ...(options.env === undefined && !IS_PLAIN ? {} : { env: { ...(options.env ?? process.env), ...PLAIN } }),
      },
      (error, stdout, stderr) => {
        if (error !== null && child.exitCode === null && child.signalCode === null) return reject(error);
        resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr });
      },
    );
    child.stdin?.on("error", () => {}); // a command that ends early leaves its input unread
    child.stdin?.end(options.input ?? "");
  });
}
