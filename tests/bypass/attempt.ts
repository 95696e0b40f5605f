/** Runs one attack in one place, guarded or as a control, and gathers what the sinks saw and what the guard said. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { SALLYPORT } from "../kit/daemon.ts";
import { ADDRESS, PORT } from "./network.ts";
import { PYTHON } from "./observer.ts";
import { isTaggedByUs, Settling, waits } from "./settling.ts";
import type { Place, Report, Try, Vector } from "./vector.ts";
import { agentOf, USER, type World } from "./world.ts";

/** An attack ends itself after this; a program that hangs in the kernel is killed a little later. */
const ATTACK_S = 6;
const KILL_AFTER_MS = 12_000;
/** The audit trail is written in batches; an event that does not come within this is taken as not told. */
const EVENTS_WITHIN_MS = 1_500;
const OUTPUT_MAX = 64 * 1024;

const PRELUDE = readFileSync(join(import.meta.dirname, "prelude.py"), "utf8");
const TERMINAL = join(import.meta.dirname, "terminal.py");
/** Prints its id, waits until it has been moved, and becomes the attack. */
const WAITING = ["/bin/sh", "-c", 'echo "{\\"pid\\": $$}"; read -r _; exec "$@"', "attack"];
const AS_USER = ["setpriv", "--reuid", String(USER), "--regid", String(USER), "--clear-groups"];

/** How the guarded command is made: by Sallyport, or by the words of another tool. */
export type Guard = { readonly kind: "sallyport" } | { readonly kind: "another"; readonly words: readonly string[] };

export interface Attempt {
  readonly world: World;
  readonly vector: Vector;
  readonly place: Place;
  /** Undefined: the control run. */
  readonly guard: Guard | undefined;
  readonly signal: AbortSignal;
}

export async function attempt({ world, vector, place, guard, signal }: Attempt): Promise<Try> {
  const token = `tkn${randomBytes(8).toString("hex")}`;
  const decoy = world.decoy(place);
  const targets = targetsOf(world, place, token, guard !== undefined, decoy);
  const argv = [PYTHON, "-I", "-c", PRELUDE, JSON.stringify({ ...targets, body: vector.attack })];
  const from = world.daemon === undefined || guard === undefined ? undefined : world.trail.position();
  const report = await run({ world, vector, place, guard, signal }, argv);
  if (vector.disturbs && guard?.kind === "sallyport") await world.revive();
  const observers = Object.values(world.network.observers);
  await Promise.all(observers.map((observer) => observer.barrier()));
  const question = { agent: agentOf(place), expected: vector.closedBy, patient: wantsEvents(report) };
  const refusals =
    from === undefined ? [] : await world.trail.refusals({ ...question, from, withinMs: EVENTS_WITHIN_MS });
  const arrived = observers.flatMap((observer) => observer.saw(token));
  return { token, seen: seenBy(vector, report, arrived, world, token, decoy), report, refusals };
}

/** What has failed by a system call of the network may have an event; what found a folder missing has none. */
function wantsEvents({ failed }: Report): boolean {
  return failed === undefined || !["EROFS", "EBADF", "ENOENT", "ESRCH"].includes(failed.errno);
}

function seenBy(
  vector: Vector,
  report: Report,
  arrived: readonly string[],
  world: World,
  token: string,
  decoy: string,
): readonly string[] {
  switch (vector.judge ?? "sink") {
    case "sink":
      return arrived;
    case "made":
      return report.made === undefined ? [] : [report.made];
    case "group":
      return Object.values(world.network.observers).flatMap((observer) => observer.saw(`group:${groupOf(token)}`));
    case "answer":
      return report.output.includes(world.secret) ? ["the attacker, who knows the sink's secret"] : [];
    case "decoy":
      return existsSync(decoy) ? [] : ["the decoy, which is gone"];
  }
}

/** 28 bits of the token as a multicast group. */
function groupOf(token: string): string {
  const [one = 0, two = 0, three = 0] = Buffer.from(token.slice(3, 9), "hex");
  return `239.${one}.${two}.${three}`;
}

function targetsOf(world: World, place: Place, token: string, guarded: boolean, decoy: string): object {
  const { daemon, folder } = world;
  const local = place === "container" ? "container" : "host";
  return {
    ...{ ...ADDRESS, port: PORT, token, group: groupOf(token), seconds: ATTACK_S, decoy, place, local },
    own4: local === "container" ? ADDRESS.container4 : ADDRESS.host4,
    own6: local === "container" ? ADDRESS.container6 : ADDRESS.host6,
    shared: `${folder}/shared`,
    programs: `${folder}/programs`,
    sockets: `${folder}/run`,
    socketPaths: Object.fromEntries(world.sockets.map((name) => [name, world.socketPath(name)])),
    spool: `${folder}/spool-${place === "user" ? "user" : "root"}`,
    api: daemon === undefined ? `${folder}/run/stream.sock` : join(daemon.runDir, "api.sock"),
    // In a control run a relay that asks nobody stands for the listener: else nothing could be proven.
    listener: guarded && daemon !== undefined ? daemon.port : PORT.relay,
    victim: guarded && daemon !== undefined ? daemon.pid : world.standInPid(),
    pins: world.pinDir,
    cgroupRoot: world.cgroupRoot,
    delegated: world.delegated.to,
    outsider: world.outsiders[place === "user" ? "user" : "root"],
    netns: world.network.observers.container.pid,
    guarded,
  };
}

/** Starts it, passes on what it asks of outsiders, bounds it. */
async function run(attempt: Attempt, argv: readonly string[]): Promise<Report> {
  const words = wordsOf(attempt, argv);
  const { start } = attempt.vector;
  const prefix =
    start === "terminal" ? [PYTHON, "-I", TERMINAL] : start === "inherited-socket" ? [PYTHON, "-I", "-c", INHERIT] : [];
  const [file = "", ...args] = [...prefix, ...words];
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], detached: true, cwd: "/" });
  const settling = new Settling(attempt, child);
  try {
    return await heard(attempt, child, settling);
  } finally {
    killGroup(child);
    await settling.end();
  }
}

/** Opens a connection to the sink as descriptor 9 and becomes what it is told, without closing it. */
const INHERIT = `
import os, socket, sys
sock = socket.create_connection(("${ADDRESS.sink4}", ${PORT.sink}))
os.dup2(sock.fileno(), 9, inheritable=True)
os.execvp(sys.argv[1], sys.argv[1:])
`;

function wordsOf({ world, vector, place, guard }: Attempt, argv: readonly string[]): readonly string[] {
  if (place === "container") {
    const name = guard === undefined ? world.containers.control : world.containers.guarded;
    return world.podman.exec(name, argv);
  }
  const inner = [...(place === "user" ? AS_USER : []), ...(waits(vector, place) ? WAITING : []), ...argv];
  if (guard === undefined || isTaggedByUs(vector)) return inner;
  if (guard.kind === "another") {
    const at = guard.words.indexOf("{}");
    return at < 0 ? [...guard.words, ...inner] : [...guard.words.slice(0, at), ...inner, ...guard.words.slice(at + 1)];
  }
  return [SALLYPORT, "--run", world.daemon?.runDir ?? "", "run", "--quiet", "--as", agentOf(place), "--", ...inner];
}

function heard(attempt: Attempt, child: ChildProcess, settling: Settling): Promise<Report> {
  const { world, vector, place, signal } = attempt;
  let output = "";
  let status: Report["status"] = {};
  let failed: Report["failed"];
  let got: string | undefined;
  const keep = (text: string) => {
    if (output.length < OUTPUT_MAX) output += `${text}\n`;
  };
  const hear = (line: string) => {
    keep(line);
    if (!line.startsWith("{")) return;
    const said = JSON.parse(line) as Record<string, unknown>;
    if (typeof said["pid"] === "number") settling.arrived(said["pid"]);
    if (said["status"] !== undefined) status = said["status"] as Report["status"];
    if (typeof said["failed"] === "string") failed = { step: said["failed"], ...errorOf(said) };
    if (typeof said["made"] === "string") got = said["made"];
    if (said["ask"] === "suite") settling.tag();
    else if (typeof said["ask"] === "string") world.ask(said["ask"], said["order"] as object, place);
  };
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => killGroup(child), KILL_AFTER_MS);
    const interrupt = () => killGroup(child);
    signal.addEventListener("abort", interrupt, { once: true });
    if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", (line) => guarded(hear, line));
    if (child.stderr !== null) createInterface({ input: child.stderr }).on("line", keep);
    child.stdin?.on("error", () => {}); // an attack that ended early reads nothing
    child.once("error", reject);
    child.once("close", () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", interrupt);
      resolve({ status, output, ...(failed && { failed }), ...(got !== undefined && { made: got }) });
    });
    if (!waits(vector, place)) child.stdin?.end();
  });
}

/** A line that only looks like ours is the attack's own text. */
function guarded(hear: (line: string) => void, line: string): void {
  try {
    hear(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
}

function errorOf(said: Record<string, unknown>): { errno: string; error: string } {
  return { errno: String(said["errno"]), error: String(said["error"]) };
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // it has ended, and its group with it
  }
}
