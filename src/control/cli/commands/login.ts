/** login, logout, whoami: which human the command line acts for. Secrets go to a file, never to the terminal. */
import { spawn } from "node:child_process";
import { hostname } from "node:os";
import type { Command } from "commander";
import { UserError } from "../../../base/errors.ts";
import type { CodeSignIn, DeviceCode, LoginListing, SamlSignIn, SessionBegun, Who } from "../../human-ports.ts";
import { openCallback, openRecipient } from "../loopback.ts";
import { forgetSession, keepSession, sessionFile } from "../session-file.ts";
import { moment, printable } from "../show.ts";
import type { OpenShell, Shell } from "../world.ts";

interface LoginOptions {
  readonly issuer?: string;
  readonly device?: boolean;
}

const LOGIN_HELP = `
A login whose identity provider speaks SAML needs a browser that reaches this host at the port of its recipient in the
settings. For a browser elsewhere, forward that port from there first: ssh -L PORT:127.0.0.1:PORT HOST
SAML knows no refresh: the session ends when the provider's own does, or after session.lasts of the settings.

Examples:
  sallyport login
  sallyport login --issuer corp --device`;

export function addLoginCommands(program: Command, open: OpenShell): void {
  program
    .command("login")
    .description("sign in as a human, by a browser on this host or, with --device, on any other")
    .option("--issuer <name>", "the login's name in the settings, where there are several")
    .option("--device", "print an address and a code to type in there")
    .addHelpText("after", LOGIN_HELP)
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
  const { secret, ...who } = await (device ? byDevice(shell, named) : byBrowser(shell, named));
  const file = sessionFile(shell.world.env, shell.daemon);
  await endFormer(shell);
  keepSession(file, secret);
  if (shell.json) return shell.say(JSON.stringify(who));
  for (const line of whoLines(who)) shell.say(line);
}

interface Named {
  readonly login?: string;
}

/** A login that there is not, or one of several, is the daemon's to refuse. */
async function byBrowser(shell: Shell, named: Named): Promise<SessionBegun> {
  if (shell.daemon !== shell.runDir) return byCode(shell, named); // over TLS strangers hear of no logins
  const logins = await shell.api.get<readonly LoginListing[]>("/v1/logins", PLAIN);
  const meant = logins.filter(({ name }) => named.login === undefined || name === named.login);
  const recipient = meant.length === 1 ? meant[0]?.recipient : undefined;
  return recipient === undefined ? byCode(shell, named) : bySaml(shell, named, recipient);
}

async function byCode(shell: Shell, named: Named): Promise<SessionBegun> {
  const loopback = await openCallback();
  try {
    const { url: redirectUri } = loopback;
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

async function bySaml(shell: Shell, named: Named, recipient: string): Promise<SessionBegun> {
  const loopback = await openRecipient(recipient); // before there is a request whose answer somebody else could take
  try {
    const { url, relayState, endsMs } = await shell.api.post<SamlSignIn>("/v1/login/saml", named, PLAIN);
    const { port, host } = new URL(recipient);
    shell.warn(`for a browser on another machine, first run there: ssh -L ${port}:${host} ${hostname()}`);
    shell.warn(`open this in a browser, and sign in there:\n${printable(url)}`);
    showInBrowser(url, shell.world.env);
    return await loopback.wait(relayState, endsMs, (brought) =>
      shell.api.post<SessionBegun>("/v1/login/saml/end", brought, PLAIN),
    );
  } finally {
    loopback.close();
  }
}

async function byDevice(shell: Shell, named: Named): Promise<SessionBegun> {
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
