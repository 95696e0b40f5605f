/** login, logout, whoami: which human the command line acts for. Secrets go to a file, never to the terminal. */
import { spawn } from "node:child_process";
import type { Command } from "commander";
import { UserError } from "../../../base/errors.ts";
import type { CodeSignIn, DeviceCode, SessionBegun, Who } from "../../human-ports.ts";
import { openLoopback } from "../loopback.ts";
import { forgetSession, keepSession, sessionFile } from "../session-file.ts";
import { moment, printable } from "../show.ts";
import type { OpenShell, Shell } from "../world.ts";

interface LoginOptions {
  readonly issuer?: string;
  readonly device?: boolean;
}

export function addLoginCommands(program: Command, open: OpenShell): void {
  program
    .command("login")
    .description("sign in as a human, by a browser on this host or, with --device, on any other")
    .option("--issuer <name>", "the login's name in the settings, where there are several")
    .option("--device", "print an address and a code to type in there")
    .addHelpText(
      "after",
      "\nExamples:\n  sallyport login\n  sallyport login --issuer corp --device\n  sallyport --url https://guard.example:8443 login",
    )
    .action((options: LoginOptions, command: Command) => login(open(command), options));
  program
    .command("logout")
    .description("end the session that `login` began")
    .addHelpText("after", "\nExample:\n  sallyport logout")
    .action((_options: object, command: Command) => logout(open(command)));
  program
    .command("whoami")
    .description("who the daemon takes you for, and which roles that gives")
    .addHelpText("after", "\nExample:\n  sallyport whoami --json")
    .action(async (_options: object, command: Command) => {
      const shell = open(command);
      const who = await shell.api.get<Who>("/v1/whoami");
      if (shell.json) return shell.say(JSON.stringify(who));
      for (const line of whoLines(who)) shell.say(line);
    });
}

/** As the user of the host: a session that is over must not be in the way of a new one. */
const PLAIN = { as: "user" } as const;

async function login(shell: Shell, { issuer, device = false }: LoginOptions): Promise<void> {
  const named = issuer === undefined ? {} : { login: issuer };
  const { secret, ...who } = await (device ? byDevice(shell, named) : byCode(shell, named));
  const file = sessionFile(shell.world.env, shell.daemon);
  await endFormer(shell);
  keepSession(file, secret);
  if (shell.json) return shell.say(JSON.stringify(who));
  for (const line of whoLines(who)) shell.say(line);
}

async function byCode(shell: Shell, named: { readonly login?: string }): Promise<SessionBegun> {
  const loopback = await openLoopback();
  try {
    const { redirectUri } = loopback;
    const { flow, url, endsMs } = await shell.api.post<CodeSignIn>("/v1/login/code", { ...named, redirectUri }, PLAIN);
    const state = new URL(url).searchParams.get("state") ?? "";
    shell.warn(`open this in a browser on this host, and sign in there:\n${printable(url)}`);
    showInBrowser(url, shell.world.env);
    return await loopback.wait(state, endsMs, (brought) =>
      shell.api.post<SessionBegun>("/v1/login/code/end", { ...brought, flow }, PLAIN),
    );
  } finally {
    loopback.close();
  }
}

async function byDevice(shell: Shell, named: { readonly login?: string }): Promise<SessionBegun> {
  const begun = await shell.api.post<DeviceCode>("/v1/login/device", named, PLAIN);
  const { flow, url, completeUrl, code, endsMs } = begun;
  shell.warn(`open this in a browser anywhere, and type in the code ${printable(code)}:\n${printable(url)}`);
  if (completeUrl !== undefined) shell.warn(`or this, which has the code in it:\n${printable(completeUrl)}`);
  while (Date.now() < endsMs) {
    const answer = await shell.api.post<Partial<SessionBegun>>("/v1/login/device/end", { flow }, PLAIN);
    if (answer.secret !== undefined) return answer as SessionBegun;
  }
  throw new UserError(
    "LOGIN_LATE",
    "Cannot sign in: nobody has typed in the code in time",
    "Begin anew: sallyport login",
  );
}

/** Where somebody sits in front of a screen. Whether that works does not matter: the address was printed. */
function showInBrowser(url: string, env: Shell["world"]["env"]): void {
  if ((env["DISPLAY"] ?? env["WAYLAND_DISPLAY"] ?? "") === "" || process.geteuid?.() === 0) return;
  spawn("xdg-open", [url], { stdio: "ignore", detached: true })
    .on("error", () => {})
    .unref();
}

async function logout(shell: Shell): Promise<void> {
  const hadOne = await endFormer(shell);
  forgetSession(sessionFile(shell.world.env, shell.daemon));
  if (shell.json) shell.say(JSON.stringify({ ended: hadOne }));
  else shell.say(hadOne ? "signed out" : "nobody was signed in");
}

/** A session that has ended already is none to end. */
async function endFormer(shell: Shell): Promise<boolean> {
  try {
    return (await shell.api.post<{ readonly ended: boolean }>("/v1/logout", {})).ended;
  } catch (error) {
    if (error instanceof UserError && ENDED.has(error.code)) return false;
    throw error;
  }
}

const ENDED: ReadonlySet<string> = new Set([
  "HUMAN_SESSION_OVER",
  "API_TOKEN_INVALID",
  "API_NOT_PERMITTED",
  "SESSION_FILE",
]);

function whoLines({ name, account, roles, groups = [], by, endsMs, glassUntilMs, uid }: Who): string[] {
  const known = account === undefined ? `${name} (uid ${uid})` : `${name} (${account})`;
  const until = endsMs === undefined ? "" : `, by a ${by} until ${moment(endsMs)}`;
  const broken = glassUntilMs === undefined ? [] : [`glass   broken until ${moment(glassUntilMs)}`];
  const lines = [`you are ${known}${until}`, `roles   ${roles.join(", ")}`, ...broken];
  return (groups.length === 0 ? lines : [...lines, `groups  ${groups.join(", ")}`]).map(printable);
}
