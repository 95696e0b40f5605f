/** approvals delegate, delegations, undelegate: who answers in whose place, until when. */
import type { Command } from "commander";
import { UserError } from "../../../base/errors.ts";
import type { DelegationListing } from "../../delegation-ports.ts";
import { step } from "../client.ts";
import { moment, printable, table } from "../show.ts";
import { readDuration, readMoment } from "../words.ts";
import type { OpenShell, Shell } from "../world.ts";

/** `approvals`: the command that they stand below. */
export function addDelegationCommands(approvals: Command, open: OpenShell): void {
  approvals
    .command("delegate <group>")
    .description("let somebody answer for a group of yours in your place, for a time; of admins: for any group")
    .requiredOption(
      "--to <human>",
      "an account that has signed in, a user of the host, or a name of humans in the settings",
    )
    .option("--for <time>", "how long: 8h, 14d; at most 30 days", readDuration)
    .option("--until <time>", "until when: 18:30, 2025-03-01T18:30", (text: string) => readMoment(text))
    .option("--reason <text>", "why, for the audit trail and for who asks later")
    .addHelpText(
      "after",
      "\nExamples:\n  sallyport approvals delegate sre --to ben --for 8h\n  sallyport approvals delegate corp:sre --to corp:ben --until 2025-03-01 --reason 'on leave'",
    )
    .action((group: string, options: DelegateOptions, command: Command) => delegate(open(command), group, options));
  approvals
    .command("delegations")
    .description("what you lend and what you were lent, newest first; admins and auditors see all")
    .option("--all", "also what is over")
    .addHelpText("after", "\nExample:\n  sallyport approvals delegations --all")
    .action((_options: object, command: Command) => {
      const { all = false } = command.optsWithGlobals<{ all?: boolean }>(); // `approvals` has one of that name, too
      return list(open(command), all);
    });
  approvals
    .command("undelegate <id>")
    .description(
      "end one that you lend or were lent; answers that were given by it and still wait for others count no more",
    )
    .addHelpText("after", "\nExample:\n  sallyport approvals undelegate ID")
    .action(async (id: string, _options: object, command: Command) => {
      const shell = open(command);
      const ended = await shell.api.delete<DelegationListing>(`/v1/delegations/${step(id)}`);
      if (shell.json) return shell.say(JSON.stringify(ended));
      shell.say(
        `${printable(ended.to)} no longer answers for ${printable(ended.group)} by delegation ${printable(ended.id)}`,
      );
    });
}

interface DelegateOptions {
  readonly to: string;
  readonly for?: number;
  readonly until?: number;
  readonly reason?: string;
}

async function delegate(shell: Shell, group: string, options: DelegateOptions): Promise<void> {
  const { to, for: forMs, until: untilMs, reason } = options;
  if ((forMs === undefined) === (untilMs === undefined)) {
    const remedy = "See: sallyport approvals delegate --help";
    throw new UserError("USAGE", "Name exactly one of --for and --until", remedy, { exitCode: 2 });
  }
  const made = await shell.api.post<DelegationListing>("/v1/delegations", { group, to, forMs, untilMs, reason });
  if (shell.json) return shell.say(JSON.stringify(made));
  shell.say(
    `${printable(called(made.to, made.toAccount))} may answer for ${printable(made.group)} in your place until ${moment(made.untilMs)}`,
  );
  shell.say(`end it with: sallyport approvals undelegate ${printable(made.id)}`);
}

async function list(shell: Shell, all: boolean): Promise<void> {
  const delegations = await shell.api.get<DelegationListing[]>(`/v1/delegations${all ? "?all=1" : ""}`);
  if (shell.json) return shell.say(JSON.stringify(delegations));
  if (delegations.length === 0) return shell.say(all ? "nothing was delegated" : "nothing is delegated");
  shell.say(table(delegations, COLUMNS, shell.colours));
}

const COLUMNS = [
  { title: "ID", cell: ({ id }: DelegationListing) => id },
  { title: "GROUP", cell: ({ group }: DelegationListing) => group },
  {
    title: "FROM",
    cell: ({ from, fromAccount, as }: DelegationListing) =>
      `${as === "admin" ? "admin " : ""}${called(from, fromAccount)}`,
  },
  { title: "TO", cell: ({ to, toAccount }: DelegationListing) => called(to, toAccount) },
  { title: "SINCE", cell: ({ sinceMs }: DelegationListing) => moment(sinceMs) },
  { title: "UNTIL", cell: ({ untilMs }: DelegationListing) => moment(untilMs) },
  { title: "STATE", cell: ({ state, why }: DelegationListing) => (why === undefined ? state : `${state}: ${why}`) },
  { title: "REASON", cell: ({ reason }: DelegationListing) => reason },
];

/** Humans are called by their accounts already: "Ada Lovelace [corp:ada]". */
function called(name: string, account: string): string {
  return name.endsWith(`[${account}]`) ? name : `${name} (${account})`;
}
