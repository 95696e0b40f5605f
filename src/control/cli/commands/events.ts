/** events watch: the audit trail as it is written. */
import type { Command } from "commander";
import type { AuditEvent } from "../../../model/event.ts";
import { moment, printable } from "../show.ts";
import type { OpenShell, Shell } from "../world.ts";

export function addEventCommands(program: Command, open: OpenShell): void {
  const events = program
    .command("events")
    .description("the audit trail; `events watch` shows it as it is written")
    .addHelpText("after", "\nExample:\n  sudo sallyport events watch");
  events
    .command("watch")
    .description("every event from now on, until you end it")
    .option("--agent <name>", "of this agent only")
    .addHelpText("after", "\nExamples:\n  sudo sallyport events watch --agent ci\n  sudo sallyport --json events watch")
    .action((options: { agent?: string }, command: Command) => watch(open(command), options.agent));
}

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
