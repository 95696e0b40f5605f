/** sessions: list, show, replay. What agents wrote is shown printable only. */
import { setTimeout as wait } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import { API_LIST_MAX } from "../../../base/limits.ts";
import type { Reindexed, SessionEntry, SessionListing } from "../../ports.ts";
import { step } from "../client.ts";
import { count, duration, moment, printable, printableLines, table } from "../show.ts";
import type { Colours, OpenShell, Shell } from "../world.ts";
import { addSessionEvidenceCommands } from "./evidence.ts";

/** A pause in a replay is no longer than this; how long it was is said. */
const PAUSE_MS_MAX = 3_000;
const INDENT = " ".repeat(18);

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
    .addHelpText("after", "\nExample:\n  sudo sallyport sessions replay ID --speed 4")
    .action((id: string, options: { speed: number }, command: Command) => replay(open(command), id, options.speed));
  sessions
    .command("reindex")
    .description("build the index of sessions anew from the recordings; those that are open are left as they are")
    .addHelpText("after", "\nExample:\n  sudo sallyport sessions reindex")
    .action((_options: object, command: Command) => reindex(open(command)));
  addSessionEvidenceCommands(sessions, open);
}

async function reindex(shell: Shell): Promise<void> {
  const result = await shell.api.post<Reindexed>("/v1/sessions/reindex", {});
  shell.say(shell.json ? JSON.stringify(result) : `indexed ${count(result.sessions, "session")}`);
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

async function replay(shell: Shell, id: string, speed: number): Promise<void> {
  const session = await shell.api.get<SessionListing>(`/v1/sessions/${step(id)}`);
  const paced = speed > 0 && shell.world.stdout.isTTY === true && !shell.json;
  if (!shell.json) shell.say(headline(session, shell.colours));
  let shownMs = 0;
  for await (const entry of shell.api.lines<SessionEntry>(`/v1/sessions/${step(id)}/entries`)) {
    const pauseMs = Math.max(0, entry.offsetMs - shownMs) / (speed || 1);
    shownMs = entry.offsetMs;
    if (paced) {
      await wait(Math.min(pauseMs, PAUSE_MS_MAX));
      if (pauseMs > PAUSE_MS_MAX) shell.say(shell.colours.dim(`${INDENT}(${duration(pauseMs)} without a word)`));
    }
    shell.say(shell.json ? JSON.stringify(entry) : entryText(entry, shell.colours));
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

function entryText(entry: SessionEntry, colours: Colours): string {
  const at = `+${(entry.offsetMs / 1_000).toFixed(3)}`.padStart(9);
  const word = verdictWord(entry, colours);
  const lines = [`${colours.dim(at)}  ${word} ${printableLines(entry.text, INDENT)}`];
  const rules = entry.rules ?? [];
  const by = rules.length === 0 ? "" : `, rules: ${rules.map(printable).join(", ")}`;
  if (entry.kind === "decision") lines.push(colours.dim(`entry ${entry.number}${by}`));
  if (entry.hold !== undefined) {
    const { id, by, state } = entry.hold;
    const who = by.length === 0 ? "" : ` by ${by.map(printable).join(", ")}`;
    lines.push(
      colours.yellow(state === "" ? `waits as ${printable(id)}` : `${printable(id)} ${printable(state)}${who}`),
    );
  }
  if (entry.message !== undefined && entry.message !== "") lines.push(printableLines(entry.message, INDENT));
  if (entry.observed !== undefined) {
    const denying =
      entry.observed.rules.length === 0 ? "default: no rule allows it" : entry.observed.rules.map(printable).join(", ");
    lines.push(colours.yellow(`would be denied by ${denying} (observed)`));
    if (entry.observed.message !== "") lines.push(printableLines(entry.observed.message, INDENT));
  }
  for (const { rule, would } of entry.shadow ?? []) {
    lines.push(colours.yellow(`with rule ${printable(rule)}, which is in shadow: ${would}`));
  }
  const counts = [
    ...(entry.rows === undefined ? [] : [count(entry.rows, "row")]),
    ...(entry.bytes === undefined ? [] : [count(entry.bytes, "byte")]),
    ...(entry.masks ?? []).map(
      (mask) => `${printable(mask.column)} masked ${count(mask.count, "time")} by ${printable(mask.by)}`,
    ),
  ];
  if (counts.length > 0) lines.push(colours.dim(counts.join(" · ")));
  return lines.join(`\n${INDENT}`);
}

function verdictWord({ decision }: SessionEntry, colours: Colours): string {
  switch (decision) {
    case "allow":
      return colours.green("allow ");
    case "deny":
      return colours.red("deny  ");
    case "hold":
      return colours.yellow("hold  ");
    case undefined:
      return "      ";
    default:
      return decision satisfies never;
  }
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
