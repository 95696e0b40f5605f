/** agents, tag, untag: what is guarded. */
import { type Command, InvalidArgumentError } from "commander";
import { UserError } from "../../../base/errors.ts";
import type { AgentListing } from "../../ports.ts";
import { moment, printable, table } from "../show.ts";
import type { OpenShell, Shell } from "../world.ts";

interface TargetOptions {
  readonly cgroup?: string;
  readonly pid?: number;
}

export function addAgentCommands(program: Command, open: OpenShell): void {
  program
    .command("agents")
    .description("list what is guarded")
    .addHelpText("after", "\nExample:\n  sallyport agents --json")
    .action((_options: object, command: Command) => list(open(command)));
  withTarget(program.command("tag").description("guard what already runs"))
    .requiredOption("--as <agent>", "the agent's name in the settings")
    .addHelpText(
      "after",
      "\nExamples:\n  sudo sallyport tag --as ci --cgroup /system.slice/runner.service\n  sudo sallyport tag --as ci --pid 4711",
    )
    .action(async (options: TargetOptions & { as: string }, command: Command) => {
      const shell = open(command);
      const body = { agent: options.as, ...targetOf(options) };
      told(shell, await shell.api.post<AgentListing>("/v1/tags", body), "is guarded as");
    });
  withTarget(program.command("untag").description("end the guard of a cgroup"))
    .addHelpText("after", "\nExample:\n  sudo sallyport untag --cgroup /system.slice/runner.service")
    .action(async (options: TargetOptions, command: Command) => {
      const shell = open(command);
      const ended = await shell.api.post<AgentListing>("/v1/tags/remove", targetOf(options));
      told(shell, ended, "is no longer guarded as");
    });
}

async function list(shell: Shell): Promise<void> {
  const agents = await shell.api.get<AgentListing[]>("/v1/agents");
  if (shell.json) return shell.say(JSON.stringify(agents));
  if (agents.length === 0) return shell.say("nothing is guarded");
  shell.say(
    table(
      agents,
      [
        { title: "AGENT", cell: ({ agent }) => agent },
        { title: "GROUPS", cell: ({ groups }) => groups.join(",") },
        { title: "KIND", cell: ({ kind }) => kind },
        { title: "PROCESSES", cell: ({ processes }) => String(processes), align: "right" },
        { title: "SESSIONS", cell: ({ sessions }) => String(sessions), align: "right" },
        { title: "SINCE", cell: ({ sinceMs }) => moment(sinceMs) },
        { title: "CGROUP", cell: ({ cgroup }) => cgroup },
      ],
      shell.colours,
    ),
  );
}

function told(shell: Shell, listing: AgentListing, words: string): void {
  if (shell.json) shell.say(JSON.stringify(listing));
  else shell.say(`${printable(listing.cgroup)} ${words} ${printable(listing.agent)}`);
}

function withTarget(command: Command): Command {
  return command
    .option("--cgroup <path>", "a cgroup below the mount, e.g. /system.slice/runner.service")
    .option("--pid <number>", "the cgroup of this process", readPid);
}

function targetOf({ cgroup, pid }: TargetOptions): TargetOptions {
  if ((cgroup === undefined) === (pid === undefined)) {
    const remedy = "See: sallyport tag --help";
    throw new UserError("USAGE", "Name exactly one of --cgroup and --pid", remedy, { exitCode: 2 });
  }
  return cgroup === undefined ? { pid: pid ?? 0 } : { cgroup };
}

function readPid(text: string): number {
  const pid = /^[0-9]{1,7}$/.test(text) ? Number(text) : 0;
  if (pid < 2 || pid > 4_194_304) throw new InvalidArgumentError("It must be the id of a process.");
  return pid;
}
