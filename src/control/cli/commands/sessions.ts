/** sessions: list, show, replay. What agents wrote is shown printable only. */
import { writeFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import { API_LIST_MAX } from "../../../base/limits.ts";
import type { Reindexed, SessionEntry, SessionListing } from "../../ports.ts";
import { asciicast } from "../asciicast.ts";
import { step } from "../client.ts";
import { entryText, INDENT } from "../entry-text.ts";
import { count, duration, moment, printable, table } from "../show.ts";
import type { Colours, OpenShell, Shell } from "../world.ts";
import { addSessionEvidenceCommands } from "./evidence.ts";
import { addRetentionCommands } from "./retention.ts";

/** A pause in a replay is no longer than this; how long it was is said. */
const PAUSE_MS_MAX = 3_000;

export function addSessionCommands(program: Command, open: OpenShell): void {
  const sessions = program
    .command("sessions")
    .description("list sessions, newest first")
    .option("--limit <number>", "how many at most", readLimit, 50)
    .option("--agent <name>", "of this agent only")
    .addHelpText("after", "\nExamples:\n  sallyport sessions --agent ci --limit 10\n  sudo sallyport sessions show ID")
    .action((options: { limit: number; agent?: string }, command: Command) => list(open(command), options));
  sessions
    .command("show <id>")
    .description("a session and everything decided in it")
    .addHelpText("after", "\nExample:\n  sudo sallyport sessions show ID --json")
    .action((id: string, _options: object, command: Command) => show(open(command), id));
  sessions
    .command("replay <id>")
    .description("see a session again, in its own time")
    .option("--speed <factor>", "2 is twice as fast, 0 without pauses", readSpeed, 1)
    .option("--at <place>", "begin there: a time since its start as 1m30s, or the number of an entry", readPlace)
    .option("--follow", "go on while the session runs")
    .option("--asciicast <file>", "write what passed through its terminal, for players of asciicast v2")
    .addHelpText(
      "after",
      "\nExamples:\n  sudo sallyport sessions replay ID --speed 4 --at 1m30s\n  sudo sallyport sessions replay ID --follow",
    )
    .action((id: string, options: ReplayOptions, command: Command) => replay(open(command), id, options));
  sessions
    .command("reindex")
    .description("build the index of sessions anew from the recordings; those that are open are left as they are")
    .addHelpText("after", "\nExample:\n  sudo sallyport sessions reindex")
    .action((_options: object, command: Command) => reindex(open(command)));
  addSessionEvidenceCommands(sessions, open);
  addRetentionCommands(sessions, open);
}

async function reindex(shell: Shell): Promise<void> {
  const result = await shell.api.post<Reindexed>("/v1/sessions/reindex", {});
  shell.say(shell.json ? JSON.stringify(result) : `indexed ${count(result.sessions, "session")}`);
}

interface ReplayOptions {
  readonly speed: number;
  /** As the API takes it. */
  readonly at?: string;
  readonly follow?: true;
  readonly asciicast?: string;
}

async function list(shell: Shell, { limit, agent }: { limit: number; agent?: string }): Promise<void> {
  const query = new URLSearchParams({ limit: String(limit), ...(agent === undefined ? {} : { agent }) });
  const sessions = await shell.api.get<SessionListing[]>(`/v1/sessions?${query}`);
  if (shell.json) return shell.say(JSON.stringify(sessions));
  if (sessions.length === 0) return shell.say("no sessions");
  shell.say(
    table(
      sessions,
      [
        { title: "ID", cell: ({ id }) => id },
        { title: "STARTED", cell: ({ startedMs }) => moment(startedMs) },
        { title: "AGENT", cell: ({ agent }) => agent },
        { title: "CONNECTION", cell: ({ connection }) => connection },
        { title: "STATE", cell: ({ state }) => state },
        { title: "STATEMENTS", cell: ({ statements }) => String(statements), align: "right" },
        { title: "DENIED", cell: ({ denied }) => String(denied), align: "right" },
        { title: "MASKED", cell: ({ masked }) => String(masked), align: "right" },
        { title: "ROWS", cell: ({ rows }) => String(rows), align: "right" },
      ],
      shell.colours,
    ),
  );
}

async function show(shell: Shell, id: string): Promise<void> {
  const session = await shell.api.get<SessionListing>(`/v1/sessions/${step(id)}`);
  const entries = shell.api.lines<SessionEntry>(`/v1/sessions/${step(id)}/entries`);
  if (shell.json) {
    // Written as it comes: a recording may be larger than memory.
    shell.world.stdout.write(`{"session":${JSON.stringify(session)},"entries":[`);
    let before = "";
    for await (const entry of entries) {
      shell.world.stdout.write(`${before}\n${JSON.stringify(entry)}`);
      before = ",";
    }
    return shell.say("]}");
  }
  shell.say(headline(session, shell.colours));
  for await (const entry of entries) shell.say(entryText(entry, shell.colours));
}

async function replay(shell: Shell, id: string, { speed, at, follow, asciicast: file }: ReplayOptions): Promise<void> {
  const session = await shell.api.get<SessionListing>(`/v1/sessions/${step(id)}`);
  const query = new URLSearchParams({
    ...(at === undefined ? {} : { from: at }),
    ...(follow === undefined ? {} : { follow: "1" }),
  });
  const path = `/v1/sessions/${step(id)}/entries?${query}`;
  const entries = shell.api.lines<SessionEntry>(path, undefined, follow === undefined ? {} : { patience: "endless" });
  if (file !== undefined) {
    writeFileSync(file, "", { mode: 0o600 });
    for await (const line of asciicast(entries, session)) writeFileSync(file, line, { flag: "a" });
    return;
  }
  const paced = speed > 0 && shell.world.stdout.isTTY === true && !shell.json && follow === undefined;
  if (!shell.json) shell.say(headline(session, shell.colours));
  let shownMs: number | undefined = at === undefined ? 0 : undefined;
  let shown = 0;
  for await (const entry of entries) {
    const pauseMs = Math.max(0, entry.offsetMs - (shownMs ?? entry.offsetMs)) / (speed || 1);
    shownMs = entry.offsetMs;
    shown++;
    if (paced) {
      await wait(Math.min(pauseMs, PAUSE_MS_MAX));
      if (pauseMs > PAUSE_MS_MAX) shell.say(shell.colours.dim(`${INDENT}(${duration(pauseMs)} without a word)`));
    }
    shell.say(shell.json ? JSON.stringify(entry) : entryText(entry, shell.colours));
  }
  // a session that goes on may come to it yet
  if (shown === 0 && at !== undefined) {
    const { endedMs, startedMs } = session;
    const length = endedMs === undefined ? "goes on" : `took ${duration(endedMs - startedMs)}`;
    shell.warn(
      `nothing is recorded from there on: the session ${length}; sessions show ${printable(id)} numbers its entries`,
    );
  }
}

function headline(session: SessionListing, colours: Colours): string {
  const { id, agent, connection, protocol, address, user, executable, startedMs, endedMs, state } = session;
  const length = endedMs === undefined ? "" : `, ${duration(endedMs - startedMs)}`;
  return [
    `${colours.bold(printable(id))}  ${printable(agent)} -> ${printable(connection)} (${printable(protocol)}, ${printable(address)})`,
    colours.dim(`${printable(user)} ${printable(executable)} · ${moment(startedMs)}${length} · ${state}`),
  ].join("\n");
}

function readLimit(text: string): number {
  const limit = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > API_LIST_MAX) throw new InvalidArgumentError(`It must be between 1 and ${API_LIST_MAX}.`);
  return limit;
}

function readSpeed(text: string): number {
  const speed = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : -1;
  if (speed < 0 || speed > 1_000) throw new InvalidArgumentError("It must be between 0 and 1000.");
  return speed;
}

/** "1m30s", "90s", "1h" are times, a bare number is an entry. */
function readPlace(text: string): string {
  if (/^[0-9]{1,15}$/.test(text)) return text;
  const match = /^(?=[0-9])(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,6}(?:\.[0-9]{1,3})?)s)?$/.exec(text);
  if (match === null) throw new InvalidArgumentError("It must be a time as 1m30s, or the number of an entry.");
  const [, hours = "0", minutes = "0", seconds = "0"] = match;
  return `${Math.round((Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000)}ms`;
}
