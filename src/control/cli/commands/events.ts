/** events watch: the audit trail as it is written; events sinks: where it goes. */
import type { Command } from "commander";
import type { AuditEvent } from "../../../model/event.ts";
import type { SinkStatus } from "../../../model/sink.ts";
import { type Column, duration, moment, printable, table } from "../show.ts";
import type { OpenShell, Shell } from "../world.ts";

export function addEventCommands(program: Command, open: OpenShell): void {
  const events = program
    .command("events")
    .description("the audit trail; `events watch` shows it as it is written, `events sinks` where it goes")
    .addHelpText("after", "\nExamples:\n  sudo sallyport events watch\n  sudo sallyport events sinks");
  events
    .command("watch")
    .description("every event from now on, until you end it")
    .option("--agent <name>", "of this agent only")
    .addHelpText("after", "\nExamples:\n  sudo sallyport events watch --agent ci\n  sudo sallyport --json events watch")
    .action((options: { agent?: string }, command: Command) => watch(open(command), options.agent));
  events
    .command("sinks")
    .description("where events go, how far each sink has come, and its last error")
    .addHelpText("after", "\nExamples:\n  sudo sallyport events sinks\n  sudo sallyport --json events sinks")
    .action((_options: object, command: Command) => sinks(open(command)));
}

async function sinks(shell: Shell): Promise<void> {
  const listed = await shell.api.get<readonly SinkStatus[]>("/v1/events/sinks");
  if (shell.json) return shell.say(JSON.stringify(listed));
  if (listed.length === 0) return shell.say("no sinks: name some under `events` in the settings");
  shell.say(table(listed, COLUMNS, shell.colours));
  for (const { name, lastError } of listed) {
    if (lastError !== undefined) shell.say(`${name}: ${moment(lastError.atMs)} ${printable(lastError.message)}`);
  }
}

const COLUMNS: readonly Column<SinkStatus>[] = [
  { title: "name", cell: ({ name }) => name },
  { title: "kind", cell: ({ kind, format }) => `${kind} (${format})` },
  { title: "state", cell: ({ state }) => state },
  { title: "delivered", cell: ({ delivered }) => String(delivered), align: "right" },
  { title: "behind", cell: ({ behind }) => String(behind.events), align: "right" },
  { title: "KiB", cell: ({ behind }) => String(Math.ceil(behind.bytes / 1024)), align: "right" },
  { title: "since", cell: ({ behind }) => duration(behind.ageMs), align: "right" },
  { title: "retried", cell: ({ retried }) => String(retried), align: "right" },
  { title: "refused", cell: ({ deadLettered }) => String(deadLettered), align: "right" },
  { title: "skipped", cell: ({ skipped }) => String(skipped), align: "right" },
  { title: "unsettled", cell: ({ unsettled }) => String(unsettled), align: "right" },
];

/** With --json one object a line. Ends when the daemon does. */
async function watch(shell: Shell, agent: string | undefined): Promise<void> {
  for await (const event of shell.api.events<AuditEvent>("/v1/events/watch")) {
    if (agent !== undefined && event.agent !== agent) continue;
    shell.say(shell.json ? JSON.stringify(event) : line(event, shell));
  }
}

function line({ atMs, kind, agent, message, fields }: AuditEvent, { colours }: Shell): string {
  const who = agent === undefined ? "" : ` ${colours.bold(printable(agent))}`;
  const mark = fields?.["observed"] === true ? ` ${colours.yellow("(observed)")}` : "";
  return `${colours.dim(moment(atMs))}  ${printable(kind)}${who}  ${printable(message)}${mark}`;
}
