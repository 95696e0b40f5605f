/** humans, tokens, break-glass: who has signed in, what scripts may show, and who became admin in need. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { ROLES, type Role } from "../../../model/role.ts";
import type { ApiTokenListing, BrokenGlassListing, HumanRevoked, HumanSessionListing } from "../../human-ports.ts";
import { step } from "../client.ts";
import { count, moment, printable, table } from "../show.ts";
import { readDuration } from "../words.ts";
import type { OpenShell, Shell } from "../world.ts";

export function addHumanCommands(program: Command, open: OpenShell): void {
  const humans = program
    .command("humans")
    .description("humans who have signed in")
    .addHelpText("after", "\nExample:\n  sallyport humans --json")
    .action((_options: object, command: Command) => listSessions(open(command)));
  humans
    .command("revoke <who>")
    .description(
      "end all sessions, API tokens and delegations of a human, by name or account, or one session by its id",
    )
    .addHelpText("after", "\nExample:\n  sudo sallyport humans revoke corp:ada")
    .action(async (who: string, _options: object, command: Command) => {
      const shell = open(command);
      const ended = await shell.api.post<HumanRevoked>("/v1/humans/revoke", { who });
      if (shell.json) return shell.say(JSON.stringify(ended));
      const { sessions, tokens, delegations, approvals } = ended;
      const all = `${count(sessions, "session")}, ${count(tokens, "API token")} and ${count(delegations, "delegation")}`;
      shell.say(`${all} ended${approvals === 0 ? "" : `, and ${count(approvals, "approval")} withdrawn`}`);
    });
  addTokenCommands(program, open);
  addGlassCommands(program, open);
}

interface TokenOptions {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly expires: number;
}

function addTokenCommands(program: Command, open: OpenShell): void {
  const tokens = program
    .command("tokens")
    .description("API tokens of yours; admins and auditors see all")
    .addHelpText("after", "\nExample:\n  sallyport tokens --json")
    .action((_options: object, command: Command) => listTokens(open(command)));
  tokens
    .command("create")
    .description("make an API token of yours for a script, and print it once")
    .requiredOption("--name <name>", "what you call it")
    .requiredOption("--roles <roles>", `which of yours it has: ${ROLES.join(", ")}`, readRoles)
    .requiredOption("--expires <time>", "how long it lives: 8h, 30d; at most 90 days", readDuration)
    .addHelpText(
      "after",
      "\nExample:\n  (umask 077; sallyport tokens create --name nightly --roles auditor --expires 30d > token)\n  SALLYPORT_TOKEN_FILE=token sallyport sessions",
    )
    .action(async (options: TokenOptions, command: Command) => {
      const shell = open(command);
      const { name, roles, expires: forMs } = options;
      const made = await shell.api.post<ApiTokenListing & { secret: string }>("/v1/tokens", { name, roles, forMs });
      if (shell.json) return shell.say(JSON.stringify(made));
      shell.warn(`token ${made.id}, until ${moment(made.endsMs)}; it is not shown again`);
      shell.say(made.secret);
    });
  tokens
    .command("revoke <id>")
    .description("end an API token")
    .addHelpText("after", "\nExample:\n  sallyport tokens revoke ID")
    .action(async (id: string, _options: object, command: Command) => {
      const shell = open(command);
      await shell.api.delete(`/v1/tokens/${step(id)}`);
      shell.say(shell.json ? "{}" : `${printable(id)} is revoked`);
    });
}

function addGlassCommands(program: Command, open: OpenShell): void {
  const glass = program
    .command("break-glass")
    .description("become admin, and approver of everything but your own, for 15 minutes; others are alarmed")
    .addOption(new Option("--reason <text>", "why, for those who review it"))
    .addHelpText("after", '\nExample:\n  sallyport break-glass --reason "pager 4711: orders are stuck"')
    .action(async ({ reason = "" }: { reason?: string }, command: Command) => {
      const shell = open(command);
      const broken = await shell.api.post<BrokenGlassListing>("/v1/break-glass", { reason });
      if (shell.json) return shell.say(JSON.stringify(broken));
      shell.say(`you are admin until ${moment(broken.untilMs)}; ${broken.id} waits for somebody else's review`);
    });
  glass
    .command("list")
    .description("what waits for a review")
    .option("--all", "also what was reviewed, newest first")
    .addHelpText("after", "\nExample:\n  sallyport break-glass list --all")
    .action((options: { all?: boolean }, command: Command) => listGlass(open(command), options.all ?? false));
  glass
    .command("review <id>")
    .description("say that you have looked at it; never at your own")
    .requiredOption("--comment <text>", "what you have found")
    .addHelpText("after", '\nExample:\n  sallyport break-glass review ID --comment "as pager 4711 says"')
    .action(async (id: string, options: { comment: string }, command: Command) => {
      const shell = open(command);
      const reviewed = await shell.api.post<BrokenGlassListing>(`/v1/break-glass/${step(id)}/review`, options);
      shell.say(shell.json ? JSON.stringify(reviewed) : `${printable(id)} is reviewed`);
    });
}

async function listSessions(shell: Shell): Promise<void> {
  const sessions = await shell.api.get<HumanSessionListing[]>("/v1/humans");
  if (shell.json) return shell.say(JSON.stringify(sessions));
  if (sessions.length === 0) return shell.say("nobody has signed in");
  shell.say(
    table(
      sessions,
      [
        { title: "SESSION", cell: ({ id }) => id },
        { title: "NAME", cell: ({ name }) => name },
        { title: "ACCOUNT", cell: ({ account }) => account },
        { title: "UID", cell: ({ uid }) => (uid === undefined ? "network" : String(uid)), align: "right" },
        { title: "SINCE", cell: ({ beganMs }) => moment(beganMs) },
        { title: "USED", cell: ({ usedMs }) => moment(usedMs) },
        { title: "UNTIL", cell: ({ endsMs }) => moment(endsMs) },
        {
          title: "GLASS",
          cell: ({ glassUntilMs }) => (glassUntilMs === undefined ? "" : `broken until ${moment(glassUntilMs)}`),
        },
      ],
      shell.colours,
    ),
  );
}

async function listTokens(shell: Shell): Promise<void> {
  const tokens = await shell.api.get<ApiTokenListing[]>("/v1/tokens");
  if (shell.json) return shell.say(JSON.stringify(tokens));
  if (tokens.length === 0) return shell.say("there are no API tokens");
  shell.say(
    table(
      tokens,
      [
        { title: "ID", cell: ({ id }) => id },
        { title: "NAME", cell: ({ name }) => name },
        { title: "ACCOUNT", cell: ({ account }) => account },
        { title: "ROLES", cell: ({ roles }) => roles.join(",") },
        { title: "SINCE", cell: ({ madeMs }) => moment(madeMs) },
        { title: "USED", cell: ({ usedMs }) => (usedMs === undefined ? "never" : moment(usedMs)) },
        { title: "UNTIL", cell: ({ endsMs }) => moment(endsMs) },
      ],
      shell.colours,
    ),
  );
}

async function listGlass(shell: Shell, all: boolean): Promise<void> {
  const broken = await shell.api.get<BrokenGlassListing[]>(`/v1/break-glass${all ? "?all=1" : ""}`);
  if (shell.json) return shell.say(JSON.stringify(broken));
  if (broken.length === 0) return shell.say(all ? "the glass was never broken" : "nothing waits for a review");
  shell.say(
    table(
      broken,
      [
        { title: "ID", cell: ({ id }) => id },
        { title: "NAME", cell: ({ name, account }) => `${name} (${account})` },
        { title: "SINCE", cell: ({ sinceMs }) => moment(sinceMs) },
        { title: "UNTIL", cell: ({ untilMs }) => moment(untilMs) },
        { title: "REASON", cell: ({ reason }) => reason },
        { title: "REVIEW", cell: ({ review }) => (review === undefined ? "waits" : `${review.by}: ${review.comment}`) },
      ],
      shell.colours,
    ),
  );
}

function readRoles(text: string): readonly Role[] {
  const roles = text.split(",").map((role) => role.trim());
  const known = ROLES.filter((role) => roles.includes(role));
  if (known.length !== roles.length) throw new InvalidArgumentError(`Name some of: ${ROLES.join(", ")}.`);
  return known;
}
