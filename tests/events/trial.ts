/**
 * Every event reaches every sink, whatever is killed: a stock rsyslog over TLS, an OTLP collector, a webhook and a file get
 * the events of one journal, while each is killed and started again, and so is the process that emits.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { verifyJournal } from "../../src/audit/verify.ts";
import { SYSLOG_RESEND_BYTES } from "../../src/base/limits.ts";
import type { EventSettings, SinkSettings, SinkStatus } from "../../src/model/sink.ts";
import { journalEvents } from "../audit/kit.ts";
import { makeCertificate } from "../kit/certificate.ts";
import { freePort } from "../kit/free-port.ts";
import { httpReceiver, type Receiver, rsyslog } from "./children.ts";

const EMITTER = fileURLToPath(new URL("emitter.ts", import.meta.url));
const HOOK_KEY = "a-key-for-signatures";
const DRAIN_MS = 60_000;

export interface TrialOptions {
  readonly events: number;
  readonly kills: number;
  /** Events a second. */
  readonly rate: number;
  /** For a control: what the sinks are given of all. */
  readonly kinds?: readonly string[];
  /** For a control: what is sent again to syslog. */
  readonly resendBytes?: number;
  /** How long a receiver may take to write down what it got. */
  readonly drainMs?: number;
}

export interface TrialReport {
  /** In the journal at the end. */
  readonly events: number;
  readonly seconds: number;
  readonly kills: number;
  readonly emitterKills: number;
  readonly sinks: readonly SinkReport[];
  /** Of the journal itself. */
  readonly findings: readonly string[];
}

export interface SinkReport {
  readonly name: string;
  readonly received: number;
  /** Numbers that never came. */
  readonly missing: readonly number[];
  /** Said by the receiver not to be kept; such an event counts as told, not as received. */
  readonly rejected: number;
  readonly twice: number;
  readonly status: SinkStatus | undefined;
}

/** Leaves nothing behind. Throws where something does not start or end. */
export async function trial(options: TrialOptions): Promise<TrialReport> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-sinks-"));
  const receivers: Receiver[] = [];
  let emitter: Emitter | undefined;
  const startedMs = Date.now();
  try {
    const tls = makeCertificate(folder, ["receiver.example"]);
    receivers.push(httpReceiver("otlp", folder, await freePort(), tls));
    receivers.push(httpReceiver("webhook", folder, await freePort(), tls));
    receivers.push(rsyslog(folder, await freePort(), tls));
    for (const receiver of receivers) await receiver.start();
    const settings = join(folder, "settings.json");
    writeFileSync(settings, JSON.stringify(settingsFor(folder, receivers, tls.caFile, options)));
    const stateDir = join(folder, "state");
    mkdirSync(stateDir, { mode: 0o700 });
    const start = () => startEmitter([stateDir, settings, String(options.events), String(options.rate)]);
    emitter = start();
    let emitterKills = 0;
    for (let kill = 1; kill <= options.kills; kill++) {
      await emitter.reached(Math.floor((options.events * kill) / (options.kills + 1)));
      await Promise.all(receivers.map((receiver) => receiver.kill()));
      rotateByHand(join(folder, "file.jsonl"), kill);
      if (kill % 3 === 2) {
        await emitter.kill();
        emitter = start();
        emitterKills += 1;
      }
      await wait(50); // in which events are emitted that nobody takes
      for (const receiver of receivers) await receiver.start();
    }
    const { head, sinks } = await emitter.done;
    const wanted = journalEvents(stateDir).map(({ seq }) => seq);
    const reports = [];
    for (const { name, out } of [...receivers, { name: "file", out: join(folder, "file.jsonl") }]) {
      reports.push(await sinkReport(name, out, wanted, sinks, options.drainMs ?? DRAIN_MS));
    }
    const findings: string[] = [];
    for await (const { kind, seq } of verifyJournal(join(stateDir, "events"))) findings.push(`${kind} ${seq}`);
    if (wanted.length !== head) findings.push(`the journal has ${wanted.length} lines and should have ${head}`);
    const seconds = (Date.now() - startedMs) / 1_000;
    return { events: head, seconds, kills: options.kills, emitterKills, sinks: reports, findings };
  } finally {
    await emitter?.kill();
    await Promise.all(receivers.map((receiver) => receiver.kill()));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One sentence each. */
export function faultsOf({ sinks, findings }: TrialReport): readonly string[] {
  const missing = sinks.flatMap(({ name, missing: lost }) =>
    lost.length === 0 ? [] : [`${name} lacks ${lost.length} events, the first is ${lost[0]}`],
  );
  return [...missing, ...findings.map((finding) => `the journal: ${finding}`)];
}

function settingsFor(
  folder: string,
  receivers: readonly Receiver[],
  ca: string,
  { kinds = [], resendBytes = SYSLOG_RESEND_BYTES }: TrialOptions,
): EventSettings {
  const tls = { ca, name: "receiver.example" };
  const port = (name: string) => receivers.find((receiver) => receiver.name === name)?.port ?? 0;
  const common = { format: "native", kinds } as const;
  const sinks: readonly SinkSettings[] = [
    { ...common, name: "file", kind: "file", path: join(folder, "file.jsonl"), bytesMax: 1e12, keep: 1 },
    {
      ...common,
      name: "syslog",
      kind: "syslog",
      host: "127.0.0.1",
      port: port("syslog"),
      tls,
      resendBytes,
    },
    {
      ...{ ...common, name: "otlp", kind: "otlp", encoding: "protobuf", headers: [], tls },
      url: `https://127.0.0.1:${port("otlp")}/v1/logs`,
    },
    {
      ...{ ...common, name: "webhook", kind: "webhook", key: { env: HOOK_KEY }, tls },
      url: `https://127.0.0.1:${port("webhook")}/`,
    },
  ];
  return { decisions: "refused", outbox: { bytesMax: 1e12, whenFull: "drop-oldest" }, sinks };
}

/** As logrotate does: moved away under the writer. */
function rotateByHand(path: string, number: number): void {
  if (existsSync(path)) renameSync(path, `${path}.${number}`);
}

/** Waits for what is still on its way into the receiver's file. */
async function sinkReport(
  name: string,
  out: string,
  wanted: readonly number[],
  sinks: readonly SinkStatus[],
  drainMs: number,
): Promise<SinkReport> {
  const endMs = Date.now() + drainMs;
  for (;;) {
    const seen = seenIn(globSync(`${out}{,.[0-9]*}`));
    const rejected = new Set(seenIn(globSync(`${out}.rejected`)));
    const all = new Set(seen);
    const missing = wanted.filter((seq) => !all.has(seq) && !rejected.has(seq));
    if (missing.length === 0 || Date.now() > endMs) {
      const status = sinks.find((sink) => sink.name === name);
      return { name, received: all.size, missing, rejected: rejected.size, twice: seen.length - all.size, status };
    }
    await wait(100);
  }
}

/** Numbers alone, or in an event; a line that a kill tore is none. */
function seenIn(files: readonly string[]): readonly number[] {
  return files.flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .slice(0, -1)
      .flatMap((line) => {
        if (/^[0-9]+$/.test(line)) return [Number(line)];
        const [, seq] = /\{"seq":([0-9]+),.*\}$/.exec(line) ?? [];
        return seq === undefined ? [] : [Number(seq)];
      }),
  );
}

interface Emitter {
  reached(head: number): Promise<void>;
  kill(): Promise<void>;
  readonly done: Promise<{ readonly head: number; readonly sinks: readonly SinkStatus[] }>;
}

function startEmitter(args: readonly string[]): Emitter {
  const child: ChildProcess = spawn(process.execPath, ["--liftoff-only", EMITTER, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  let head = 0;
  const waiting = new Set<() => void>();
  const finished = Promise.withResolvers<{ head: number; sinks: readonly SinkStatus[] }>();
  finished.promise.catch(() => {}); // of one that is killed nobody asks
  if (child.stdout === null) throw new Error("The emitter has no output");
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("head ")) head = Number(line.slice(5));
    else if (line.startsWith("done ")) finished.resolve(JSON.parse(line.slice(5)));
    for (const look of [...waiting]) look();
  });
  void ended.then(() => {
    finished.reject(new Error("The emitter ended before it was done"));
    for (const look of [...waiting]) look();
  });
  return {
    reached: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const isOver = child.exitCode !== null || child.signalCode !== null;
          if (head < wanted && !isOver) return;
          waiting.delete(look);
          if (head >= wanted) resolve();
          else reject(new Error("The emitter ended too early"));
        };
        waiting.add(look);
        look();
      }),
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    done: finished.promise,
  };
}
