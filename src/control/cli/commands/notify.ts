/** notify: who is told of held actions, how far each has come; notify test: tries one. */
import type { Command } from "commander";
import type { NotifyStatus } from "../../../model/notify.ts";
import type { NotifyTest } from "../../notify-ports.ts";
import { step } from "../client.ts";
import { type Column, moment, printable, table } from "../show.ts";
import { Exit, type OpenShell, type Shell } from "../world.ts";

export function addNotifyCommands(program: Command, open: OpenShell): void {
  const notify = program
    .command("notify")
    .description("chats and webhooks that are told of held actions, what waits for each, and its last error")
    .addHelpText("after", "\nExamples:\n  sudo sallyport notify\n  sudo sallyport notify test ops")
    .action((_options: object, command: Command) => list(open(command)));
  notify
    .command("test <name>")
    .description("send a message to one of them that nobody can answer")
    .addHelpText("after", "\nExample:\n  sudo sallyport notify test ops")
    .action((name: string, _options: object, command: Command) => test(open(command), name));
}

async function list(shell: Shell): Promise<void> {
  const listed = await shell.api.get<readonly NotifyStatus[]>("/v1/notify");
  if (shell.json) return shell.say(JSON.stringify(listed));
  if (listed.length === 0) return shell.say("nobody is told: name targets under `notify` in the settings");
  shell.say(table(listed, COLUMNS, shell.colours));
  for (const { name, lastError } of listed) {
    if (lastError !== undefined) shell.say(`${name}: ${moment(lastError.atMs)} ${printable(lastError.message)}`);
  }
}

const COLUMNS: readonly Column<NotifyStatus>[] = [
  { title: "name", cell: ({ name }) => name },
  { title: "kind", cell: ({ kind }) => kind },
  { title: "state", cell: ({ state }) => state },
  { title: "answers", cell: ({ takesAnswers }) => (takesAnswers ? "yes" : "no") },
  { title: "queued", cell: ({ queued }) => String(queued), align: "right" },
  { title: "sent", cell: ({ sent }) => String(sent), align: "right" },
  { title: "retried", cell: ({ retried }) => String(retried), align: "right" },
  { title: "lost", cell: ({ lost }) => String(lost), align: "right" },
];

async function test(shell: Shell, name: string): Promise<void> {
  const { ok, detail } = await shell.api.post<NotifyTest>(`/v1/notify/${step(name)}/test`, {});
  const said = ok ? `${name} has taken a test message` : `${name} did not take it: ${detail}`;
  shell.say(shell.json ? JSON.stringify({ name, ok, detail }) : printable(said));
  if (!ok) throw new Exit(1);
}
