/** agents, tag, untag, quarantine, release, observe: what is guarded, and how strictly. */
import { type Command, InvalidArgumentError } from "commander";
import { UserError } from "../../../base/errors.ts";
import type { AgentListing, AgentStateListing, DaemonStatus, Quarantined, Swept, Tagged } from "../../ports.ts";
import { readToken } from "../bounded-file.ts";
import { step } from "../client.ts";
import { count, moment, printable, table } from "../show.ts";
import { readDuration, readMoment } from "../words.ts";
import type { OpenShell, Shell } from "../world.ts";
import { connectionWords } from "./grants.ts";
import { addRevokeCommands } from "./revoke.ts";

interface TargetOptions {
  readonly cgroup?: string;
  readonly pid?: number;
  readonly container?: string;
  readonly unit?: string;
}

export function addAgentCommands(program: Command, open: OpenShell): void {
  const agents = program
    .command("agents")
    .description("list what is guarded, by whom it was found, and who is quarantined, revoked or observed")
    .addHelpText("after", "\nExample:\n  sallyport agents --json")
    .action((_options: object, command: Command) => list(open(command)));
  addRevokeCommands(agents, open);
  withTarget(program.command("tag").description("guard what already runs, and end the connections that it has made"))
    .requiredOption("--as <agent>", "the agent's name in the settings")
    .option(
      "--token-file <file>",
      "a signed token or SAML response of an issuer in the settings, which says who the agent is",
    )
    .option("--keep-connections", "leave connections from before open and say how many; their packets are dropped")
    .addHelpText(
      "after",
      "\nExamples:\n  sudo sallyport tag --as ci --unit runner.service\n  sudo sallyport tag --as ci --container build-1\n  sudo sallyport tag --as ci --pid 4711",
    )
    .action((options: TagOptions, command: Command) => tag(open(command), options));
  withTarget(program.command("untag").description("end the guard of a cgroup"))
    .addHelpText("after", "\nExample:\n  sudo sallyport untag --cgroup /system.slice/runner.service")
    .action(async (options: TargetOptions, command: Command) => {
      const shell = open(command);
      const ended = await shell.api.post<AgentListing>("/v1/tags/remove", targetOf(options));
      told(shell, ended, "is no longer guarded as");
      if (ended.kind === "match" && !shell.json) {
        shell.warn(
          `the settings still match it (${printable(ended.matcher)}): as soon as they are gone through again, it is guarded again; for good, change them and \`sallyport reload\``,
        );
      }
    });
  addStateCommands(program, open);
}

function addStateCommands(program: Command, open: OpenShell): void {
  program
    .command("quarantine <agent>")
    .description("cut every flow of an agent and deny everything, until `release`")
    .option("--reason <text>", "why, for the audit trail and for who asks later")
    .addHelpText("after", '\nExample:\n  sudo sallyport quarantine ci --reason "odd queries"')
    .action((agent: string, options: { reason?: string }, command: Command) =>
      quarantine(open(command), agent, options.reason),
    );
  program
    .command("release <agent>")
    .description("end a quarantine: rules decide again")
    .addHelpText("after", "\nExample:\n  sudo sallyport release ci")
    .action(async (agent: string, _options: object, command: Command) => {
      const shell = open(command);
      const now = await shell.api.delete<AgentStateListing>(`/v1/agents/${step(agent)}/quarantine`);
      if (shell.json) shell.say(JSON.stringify(now));
      else shell.say(`${printable(agent)} is not quarantined any more; it is ${stateWords(now)}`);
    });
  program
    .command("observe <agent>")
    .description("judge and record an agent without stopping it, until an end time; masks stay on")
    .option("--for <time>", "how long: 30m, 2h, 7d; at most 30 days", readDuration)
    .option("--until <time>", "until when: 18:30, 2025-03-01T18:30", (text: string) => readMoment(text))
    .option("--off", "end it now")
    .addHelpText("after", "\nExamples:\n  sudo sallyport observe ci --for 2h\n  sudo sallyport observe ci --off")
    .action((agent: string, options: ObserveOptions, command: Command) => observe(open(command), agent, options));
}

async function list(shell: Shell): Promise<void> {
  const agents = await shell.api.get<AgentListing[]>("/v1/agents");
  if (shell.json) return shell.say(JSON.stringify(agents));
  if (agents.length === 0) shell.say("nothing is guarded");
  else listTags(shell, agents);
  const { states } = await shell.api.get<DaemonStatus>("/v1/status");
  for (const state of states) {
    // holds by name, also while nothing is tagged as it
    if (agents.some(({ agent }) => agent === state.agent)) continue;
    shell.say(`${printable(state.agent)} is ${printable(stateWords(state))}; nothing is tagged as it`);
  }
}

function listTags({ say, colours }: Shell, agents: readonly AgentListing[]): void {
  say(
    table(
      agents,
      [
        { title: "AGENT", cell: ({ agent }) => agent },
        { title: "STATE", cell: stateWords },
        { title: "GROUPS", cell: ({ groups }) => groups.join(",") },
        { title: "IDENTITY", cell: identityWords },
        ...(agents.some(({ grants }) => grants !== undefined) ? [{ title: "GRANTS", cell: grantWords }] : []),
        { title: "KIND", cell: ({ kind }) => kind },
        { title: "MATCHER", cell: ({ matcher }) => matcher },
        { title: "PROCESSES", cell: ({ processes }) => String(processes), align: "right" },
        { title: "NAMESPACES", cell: ({ namespaces }) => String(namespaces.length), align: "right" },
        { title: "SESSIONS", cell: ({ sessions }) => String(sessions), align: "right" },
        { title: "LAST SEEN", cell: ({ lastSeenMs }) => (lastSeenMs === undefined ? "" : moment(lastSeenMs)) },
        { title: "SINCE", cell: ({ sinceMs }) => moment(sinceMs) },
        { title: "CGROUP", cell: ({ cgroup }) => cgroup },
      ],
      colours,
    ),
  );
}

/** "enforced", "observed until …", "quarantined: why", "enforced; what matchers make it is revoked: why" */
export function stateWords({ state, reason, observedUntilMs, revokedMs, revokeReason }: AgentStateListing): string {
  const also = revokedMs === undefined ? "" : `; what matchers make it is ${withReason("revoked", revokeReason)}`;
  switch (state) {
    case "enforced":
      return `enforced${also}`;
    case "observed":
      return `observed until ${moment(observedUntilMs ?? 0)}${also}`;
    case "quarantined":
      return `${withReason("quarantined", reason)}${also}`;
    default:
      return state satisfies never;
  }
}

function withReason(word: string, reason = ""): string {
  return reason === "" ? word : `${word}: ${reason}`;
}

/** "orders-30m (orders) until …", "none" */
function grantWords({ grants = [] }: AgentListing): string {
  const words = grants.map(({ id, connections, endsMs }) => {
    return `${id} (${connectionWords(connections)}) until ${moment(endsMs)}`;
  });
  return words.length === 0 ? "none" : words.join("; ");
}

/** "repo:acme/shop by github until …", "over: its identity has expired", "revoked" */
function identityWords({ identity, revoked }: AgentListing): string {
  if (revoked === true) return "revoked";
  if (identity === undefined) return "";
  const { state, reason, subject, issuer, endsMs } = identity;
  if (state === "over") return `over: ${reason ?? "its identity has expired"}`;
  return `${subject} by ${issuer} until ${moment(endsMs)}`;
}

type TagOptions = TargetOptions & {
  readonly as: string;
  readonly tokenFile?: string;
  readonly keepConnections?: boolean;
};

async function tag(shell: Shell, options: TagOptions): Promise<void> {
  const keep = options.keepConnections === true ? { keepConnections: true } : {};
  const token = options.tokenFile === undefined ? {} : { token: readToken(options.tokenFile) };
  const body = { agent: options.as, ...targetOf(options), ...token, ...keep };
  const tagged = await shell.api.post<Tagged>("/v1/tags", body);
  told(shell, tagged, "is guarded as");
  if (shell.json) return;
  for (const line of sweptWords(tagged.swept)) shell.say(line);
  if (tagged.state !== "enforced") shell.say(`${printable(tagged.agent)} is ${printable(stateWords(tagged))}`);
}

function sweptWords({ destroyed, unable, kept }: Swept): string[] {
  const lines: string[] = [];
  if (destroyed > 0) lines.push(`${count(destroyed, "connection")} from before ended`);
  if (kept > 0) lines.push(`${count(kept, "connection")} from before left open; their packets are dropped`);
  if (unable > 0) {
    lines.push(
      `${count(unable, "connection")} from before could not be ended: restart what holds them, no rule judges what they carry`,
    );
  }
  return lines;
}

async function quarantine(shell: Shell, agent: string, reason: string | undefined): Promise<void> {
  const body = reason === undefined ? {} : { reason };
  const done = await shell.api.post<Quarantined>(`/v1/agents/${step(agent)}/quarantine`, body);
  if (shell.json) return shell.say(JSON.stringify(done));
  const { sessions, destroyed, unable } = done;
  shell.say(
    `${printable(agent)} is quarantined: ${count(sessions, "session")} cut, ${count(destroyed, "other socket")} ended`,
  );
  if (unable > 0)
    shell.say(`${count(unable, "socket")} could not be ended; packets of the agent are dropped all the same`);
  shell.say(`lift it with: sallyport release ${printable(agent)}`);
}

interface ObserveOptions {
  readonly for?: number;
  readonly until?: number;
  readonly off?: boolean;
}

async function observe(shell: Shell, agent: string, options: ObserveOptions): Promise<void> {
  const chosen = [options.for, options.until, options.off].filter((option) => option !== undefined);
  if (chosen.length !== 1) {
    const remedy = "See: sallyport observe --help";
    throw new UserError("USAGE", "Name exactly one of --for, --until and --off", remedy, { exitCode: 2 });
  }
  const path = `/v1/agents/${step(agent)}/observe`;
  const body = options.for === undefined ? { untilMs: options.until } : { forMs: options.for };
  const now =
    options.off === true
      ? await shell.api.delete<AgentStateListing>(path)
      : await shell.api.post<AgentStateListing>(path, body);
  if (shell.json) return shell.say(JSON.stringify(now));
  if (now.state === "observed") shell.warn("nothing that rules deny is stopped; what is hidden stays hidden");
  shell.say(`${printable(agent)} is ${printable(stateWords(now))}`);
}

function told(shell: Shell, listing: AgentListing, words: string): void {
  if (shell.json) shell.say(JSON.stringify(listing));
  else shell.say(`${printable(listing.cgroup)} ${words} ${printable(listing.agent)}`);
}

function withTarget(command: Command): Command {
  return command
    .option("--cgroup <path>", "a cgroup below the mount, e.g. /system.slice/runner.service")
    .option("--pid <number>", "the cgroup of this process", readPid)
    .option("--container <name>", "a container by name or id (podman, Docker, CRI-O, containerd)")
    .option("--unit <name>", "a unit of the system's service manager, e.g. runner.service");
}

function targetOf({ cgroup, pid, container, unit }: TargetOptions): TargetOptions {
  const chosen = { cgroup, pid, container, unit };
  const named = Object.entries(chosen).filter(([, value]) => value !== undefined);
  if (named.length !== 1) {
    const remedy = "See: sallyport tag --help";
    throw new UserError("USAGE", "Name exactly one of --cgroup, --pid, --container and --unit", remedy, {
      exitCode: 2,
    });
  }
  return Object.fromEntries(named);
}

function readPid(text: string): number {
  const pid = /^[0-9]{1,7}$/.test(text) ? Number(text) : 0;
  if (pid === 1) throw new InvalidArgumentError("Process 1 starts everything of this host, so it is never an agent.");
  if (pid < 2 || pid > 4_194_304) throw new InvalidArgumentError("It must be the id of a process.");
  return pid;
}
