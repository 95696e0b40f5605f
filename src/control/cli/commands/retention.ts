/** sessions retention, hold, unhold, holds: how long recordings are kept. */
import type { Command } from "commander";
import type { DeletionListing, LegalHoldListing } from "../../retention-ports.ts";
import { step } from "../client.ts";
import { count, moment, printable, table } from "../show.ts";
import type { OpenShell, Shell } from "../world.ts";

export function addRetentionCommands(sessions: Command, open: OpenShell): void {
  sessions
    .command("retention")
    .description("what the settings would delete now; it goes by itself, once an hour")
    .option("--now", "delete it now")
    .addHelpText("after", "\nExample:\n  sudo sallyport sessions retention")
    .action((options: { now?: true }, command: Command) => retention(open(command), options.now === true));
  sessions
    .command("hold <id>")
    .description("keep a recording whatever the settings say (legal hold)")
    .requiredOption("--reason <text>", "why, for the audit trail")
    .addHelpText("after", "\nExample:\n  sudo sallyport sessions hold ID --reason 'case 4711'")
    .action(async (id: string, { reason }: { reason: string }, command: Command) => {
      const shell = open(command);
      await shell.api.post(`/v1/sessions/${step(id)}/hold`, { reason });
      shell.say(shell.json ? JSON.stringify({ id, held: true }) : `held ${printable(id)}`);
    });
  sessions
    .command("unhold <id>")
    .description("end a legal hold")
    .addHelpText("after", "\nExample:\n  sudo sallyport sessions unhold ID")
    .action(async (id: string, _options: object, command: Command) => {
      const shell = open(command);
      await shell.api.delete(`/v1/sessions/${step(id)}/hold`);
      shell.say(shell.json ? JSON.stringify({ id, held: false }) : `released ${printable(id)}`);
    });
  sessions
    .command("holds")
    .description("list legal holds")
    .addHelpText("after", "\nExample:\n  sudo sallyport sessions holds")
    .action((_options: object, command: Command) => listHolds(open(command)));
}

async function retention(shell: Shell, isNow: boolean): Promise<void> {
  const gone = isNow
    ? await shell.api.post<DeletionListing[]>("/v1/retention/run", {})
    : await shell.api.get<DeletionListing[]>("/v1/retention");
  if (shell.json) return shell.say(JSON.stringify(gone));
  if (gone.length === 0) return shell.say("nothing is to go");
  const columns = [
    { title: "ID", cell: ({ id }: DeletionListing) => id },
    { title: "ENDED", cell: ({ endedMs }: DeletionListing) => moment(endedMs) },
    { title: "AGENT", cell: ({ agent }: DeletionListing) => agent },
    { title: "CONNECTION", cell: ({ connection }: DeletionListing) => connection },
    { title: "BYTES", cell: ({ bytes }: DeletionListing) => String(bytes), align: "right" as const },
    { title: "WHY", cell: ({ why, rule }: DeletionListing) => `${why}, rule ${rule + 1}` },
  ];
  shell.say(table(gone, columns, shell.colours));
  shell.say(`${isNow ? "deleted" : "would delete"} ${count(gone.length, "recording")}`);
}

async function listHolds(shell: Shell): Promise<void> {
  const holds = await shell.api.get<LegalHoldListing[]>("/v1/legal-holds");
  if (shell.json) return shell.say(JSON.stringify(holds));
  if (holds.length === 0) return shell.say("no legal holds");
  const columns = [
    { title: "ID", cell: ({ sessionId }: LegalHoldListing) => sessionId },
    { title: "SINCE", cell: ({ sinceMs }: LegalHoldListing) => moment(sinceMs) },
    { title: "BY", cell: whoGave },
    { title: "REASON", cell: ({ reason }: LegalHoldListing) => reason },
  ];
  shell.say(table(holds, columns, shell.colours));
}

function whoGave({ uid, human, humanName }: LegalHoldListing): string {
  if (human !== undefined) return `${humanName ?? ""} (${human})`;
  return uid === undefined ? "network" : `uid ${uid}`;
}
