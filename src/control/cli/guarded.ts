/**
 * Starts a command as an agent: the launcher waits on a pipe until the daemon has put it into its cgroup, and becomes
 * the command only then. Whatever fails before, the command never runs.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import type { Duplex } from "node:stream";
import { codeOf, UserError } from "../../base/errors.ts";
import type { Run, RunSummary } from "../runs.ts";
import { step } from "./client.ts";
import { complain } from "./complain.ts";
import { launcherArguments, launcherFor, WORD_FD, wordOf } from "./launcher.ts";
import { count } from "./show.ts";
import type { Shell } from "./world.ts";

/** Sallyport failed and the command was not started. */
const FAILED = 125;
const FORWARDED = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;

export interface GuardedCommand {
  readonly agent: string;
  readonly words: readonly string[];
  readonly user?: string;
  /** Says who the agent is; goes to the daemon and to nobody else. */
  readonly token?: string;
  readonly newPrivileges: "allowed" | "forbidden";
  /** Whether to print one on stderr at the end. */
  readonly summary: boolean;
}

/** Runs it with our own stdio. Returns the exit code as a shell would. */
export async function runGuarded(shell: Shell, command: GuardedCommand): Promise<number> {
  const life = new Life(shell.world.env["SALLYPORT_IGNORED"]);
  try {
    const run = await start(shell, command, life);
    const exitCode = await life.ended;
    if (command.summary) await summarize(shell, run);
    return exitCode;
  } catch (error) {
    if (life.saidWhy) return FAILED;
    life.abandon();
    if (life.interruptedBy !== undefined) return 128 + constants.signals[life.interruptedBy];
    const exitCode = complain(shell.world, error);
    return exitCode === 4 ? 4 : FAILED;
  } finally {
    life.close();
  }
}

async function start(shell: Shell, command: GuardedCommand, life: Life): Promise<Run> {
  const { signal } = life;
  const { agent, token, ...launched } = command;
  const query = new URLSearchParams({ agent });
  const { environment } = await shell.api.get<{ environment: Record<string, string> }>(
    `/v1/runs/environment?${query}`,
    {
      signal,
    },
  );
  const { env } = shell.world;
  const { SALLYPORT_FILES: files, SALLYPORT_IGNORED: ignored } = env; // bin/sallyport sets them
  const inherited = { ...(files === undefined ? {} : { files }), ...(ignored === undefined ? {} : { ignored }) };
  const options = { ...launched, ...inherited, json: shell.json };
  const child = spawn(launcherFor(process.geteuid?.() ?? 0), launcherArguments(options), {
    env: {},
    stdio: ["inherit", "inherit", "inherit", "pipe"],
  });
  const pid = await life.begin(child);
  const run = await shell.api.post<Run>(
    "/v1/runs",
    { agent, pid, ...(token === undefined ? {} : { token }) },
    { signal },
  );
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(run.id) || run.bounds === undefined) {
    throw new UserError(
      "ANSWER_BROKEN",
      "Cannot understand the daemon's answer: it named no run",
      "See the daemon's log",
    );
  }
  life.release(wordOf(run.bounds, { ...withoutOurs(env), ...withCallers(environment, env), SALLYPORT_RUN: run.id }));
  return run;
}

/** Ours stay with us: where the daemon listens is no business of the agent. */
function withoutOurs(env: Shell["world"]["env"]): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("SALLYPORT_")));
}

/** Where a variable is a list of options, ours follow the caller's: of two that are the same the later counts. */
const OPTIONS = "JAVA_TOOL_OPTIONS";

function withCallers(ours: Readonly<Record<string, string>>, env: Shell["world"]["env"]): Record<string, string> {
  const [own, callers] = [ours[OPTIONS], env[OPTIONS]];
  return own === undefined || !callers ? ours : { ...ours, [OPTIONS]: `${callers} ${own}` };
}

/** One child from its start to its end. Signals that come for us are passed on; we never end before it. */
class Life {
  readonly #abort = new AbortController();
  readonly #ended = Promise.withResolvers<number>();
  #child: ChildProcess | undefined;
  readonly #ignored: ReadonlySet<NodeJS.Signals>;
  #released = false;
  #abandoned = false;
  /** The launcher ended by itself before its word, after it told the person why. */
  saidWhy = false;
  interruptedBy: NodeJS.Signals | undefined;

  /** `ignored`: signals that the caller ignores (nohup, jobs in the background): nor do we hear or pass on those. */
  constructor(ignored = "0") {
    const mask = /^[0-9a-f]{1,16}$/.test(ignored) ? BigInt(`0x${ignored}`) : 0n;
    this.#ignored = new Set(FORWARDED.filter((name) => (mask >> BigInt(constants.signals[name] - 1)) & 1n));
    for (const name of FORWARDED) process.on(name, this.#onSignal);
    this.#ended.promise.catch(() => {}); // also when nobody awaits it any more
  }

  /** Ends with the command, or with a signal that came before it was released. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The exit code as a shell would give it. */
  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  async begin(child: ChildProcess): Promise<number> {
    this.#child = child;
    // The launcher may be gone before its word is written; that end is told by its exit code.
    this.#pipe?.on("error", () => {});
    child.once("exit", (code, name) => {
      this.#ended.resolve(code ?? 128 + constants.signals[name ?? "SIGKILL"]);
      if (this.#released) return;
      this.saidWhy = code === FAILED && !this.#abandoned;
      this.#abort.abort();
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (cause) => reject(launcherMissing(cause)));
    });
    // Its first byte: it has made sure that it can do its part, and is as the daemon shall see it.
    const pipe = this.#pipe;
    if (pipe !== undefined) await once(pipe, "data", { signal: this.#abort.signal });
    this.#abort.signal.throwIfAborted();
    return child.pid ?? 0;
  }

  /** From here on the command runs. */
  release(word: Buffer): void {
    this.#abort.signal.throwIfAborted();
    this.#released = true;
    this.#pipe?.end(word);
  }

  /** Before release: the waiting launcher is killed, and no word ever reaches it. */
  abandon(): void {
    this.#abandoned = true;
    if (!this.#released) this.#child?.kill("SIGKILL");
    this.#pipe?.destroy();
  }

  close(): void {
    for (const name of FORWARDED) process.off(name, this.#onSignal);
  }

  get #pipe(): Duplex | undefined {
    return (this.#child?.stdio[WORD_FD] as Duplex | null | undefined) ?? undefined;
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    if (this.#ignored.has(name)) return;
    if (!this.#released) {
      this.interruptedBy ??= name;
      this.abandon();
      this.#abort.abort();
    } else if (!(isFromKeyboard(name) && isForeground())) {
      this.#child?.kill(name);
    }
  };
}

function launcherMissing(cause: Error): UserError {
  const remedy = "Build it: npm run build";
  return new UserError("LAUNCHER_MISSING", `Cannot start the launcher: ${codeOf(cause)}`, remedy, { cause });
}

function isFromKeyboard(name: NodeJS.Signals): boolean {
  return name === "SIGINT" || name === "SIGQUIT";
}

/** The terminal signals its whole foreground group: the command has had it already. Source: proc(5), /proc/PID/stat. */
function isForeground(): boolean {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return group === foreground;
}

async function summarize(shell: Shell, run: Run): Promise<void> {
  try {
    const sum = await shell.api.get<RunSummary>(`/v1/runs/${step(run.id)}`);
    if (shell.json) return shell.warn(JSON.stringify({ run: sum }));
    const counts = `${count(sum.sessions, "session")}, ${sum.allowed} allowed, ${sum.denied} denied, ${sum.held} held, ${count(sum.masked, "value")} masked`;
    const unix = sum.unixRefused > 0 ? `, ${count(sum.unixRefused, "dial")} to Unix sockets refused` : "";
    shell.warn(
      `sallyport: ${sum.agent} (run ${sum.id}): ${counts}, ${count(sum.refused, "connection")} refused${unix}`,
    );
  } catch (error) {
    complain(shell.world, error); // the command's own code stands
  }
}
