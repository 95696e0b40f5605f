/** grants: which connections agents may reach and until when, given and ended by hand. */
import type { Command } from "commander";
import type { GrantedConnections } from "../../../model/grant.ts";
import type { GrantList, GrantListing } from "../../grant-ports.ts";
import { step } from "../client.ts";
import { moment, printable, table } from "../show.ts";
import { readDuration } from "../words.ts";
import type { OpenShell, Shell } from "../world.ts";

export function addGrantCommands(program: Command, open: OpenShell): void {
  const grants = program
    .command("grants")
    .description("which connections agents may reach, since when and until when, and who gave it")
    .option("--all", "also what is over")
    .addHelpText("after", "\nExamples:\n  sallyport grants\n  sallyport grants --all --json")
    .action((options: { all?: boolean }, command: Command) => list(open(command), options.all ?? false));
  grants
    .command("give <agent> <connection...>")
    .description("let an agent reach connections for a time, as far as rules allow; '*' stands for all of them")
    .requiredOption("--for <time>", "how long: 30m, 2h, 7d; at most 30 days", readDuration)
    .option("--reason <text>", "why, for the audit trail and for who asks later")
    .addHelpText("after", "\nExample:\n  sudo sallyport grants give ci orders --for 1h --reason 'ticket 4711'")
    .action((agent: string, connections: string[], options: GiveOptions, command: Command) =>
      give(open(command), agent, connections, options),
    );
  grants
    .command("end <id>")
    .description("end a grant that was given; what it alone had let in is cut")
    .option("--reason <text>", "why, for the audit trail")
    .addHelpText("after", "\nExample:\n  sudo sallyport grants end ID")
    .action(async (id: string, options: { reason?: string }, command: Command) => {
      const shell = open(command);
      const ended = await shell.api.post<GrantListing>(`/v1/grants/${step(id)}/end`, options);
      if (shell.json) shell.say(JSON.stringify(ended));
      else shell.say(`grant ${printable(ended.id)} of ${printable(ended.agent)} has ended`);
    });
}

/** "orders, billing", "all" */
export function connectionWords(connections: GrantedConnections): string {
  return connections === "*" ? "all" : connections.join(", ");
}

interface GiveOptions {
  readonly for: number;
  readonly reason?: string;
}

async function list(shell: Shell, all: boolean): Promise<void> {
  const answer = await shell.api.get<GrantList>(`/v1/grants${all ? "?all=1" : ""}`);
  if (shell.json) return shell.say(JSON.stringify(answer));
  if (!answer.asked) shell.say("the settings have no grants: rules alone decide what agents reach");
  const { grants } = answer;
  if (grants.length === 0) return shell.say(all ? "no grants" : "no grants in force");
  shell.say(table(grants, COLUMNS, shell.colours));
}

const COLUMNS = [
  { title: "ID", cell: ({ id }: GrantListing) => id },
  { title: "AGENT", cell: ({ agent }: GrantListing) => agent },
  { title: "CONNECTIONS", cell: ({ connections }: GrantListing) => connectionWords(connections) },
  { title: "STATE", cell: ({ state, why }: GrantListing) => (why === undefined ? state : `${state}: ${why}`) },
  { title: "SINCE", cell: ({ sinceMs }: GrantListing) => (sinceMs === undefined ? "" : moment(sinceMs)) },
  { title: "ENDS", cell: ({ endsMs }: GrantListing) => (endsMs === undefined ? "" : moment(endsMs)) },
  { title: "BY", cell: ({ source, uid }: GrantListing) => byWords(source, uid) },
  { title: "REASON", cell: ({ reason = "" }: GrantListing) => reason },
  { title: "CGROUP", cell: ({ cgroup = "" }: GrantListing) => cgroup },
];

async function give(shell: Shell, agent: string, named: readonly string[], options: GiveOptions): Promise<void> {
  const connections = named.length === 1 && named[0] === "*" ? "*" : named;
  const { for: forMs, reason } = options;
  const body = { agent, connections, forMs, ...(reason === undefined ? {} : { reason }) };
  const given = await shell.api.post<GrantListing>("/v1/grants", body);
  if (shell.json) return shell.say(JSON.stringify(given));
  const what = `${printable(given.agent)} may reach ${printable(connectionWords(given.connections))}`;
  shell.say(`${what} until ${moment(given.endsMs ?? 0)}, as far as rules allow`);
  shell.say(`end it with: sallyport grants end ${printable(given.id)}`);
}

function byWords(source: GrantListing["source"], uid: number | undefined): string {
  if (source === "settings") return "settings";
  return uid === undefined ? "network" : `uid ${uid}`;
}
