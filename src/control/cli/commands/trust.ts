/** trust: the local CA for the trust stores of agents that `run` does not start. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Command } from "commander";
import { codeOf, messageOf, UserError } from "../../../base/errors.ts";
import type { TrustExport } from "../../ports.ts";
import type { OpenShell, Shell } from "../world.ts";

const FILE_NAME = "sallyport.crt";
/** Where Debian's update-ca-certificates(8) looks for local roots. */
const SYSTEM_FOLDER = "/usr/local/share/ca-certificates";
const UPDATE = "/usr/sbin/update-ca-certificates";

export function addTrustCommands(program: Command, open: OpenShell): void {
  const trust = program
    .command("trust")
    .description("hand the local CA to an agent's trust stores")
    .addHelpText("after", '\nExamples:\n  sallyport trust export > sallyport.crt\n  eval "$(sallyport trust env)"');
  trust
    .command("export")
    .description("print the CA's certificate (PEM)")
    .addHelpText("after", "\nExample:\n  sallyport trust export > sallyport.crt")
    .action(async (_options: object, command: Command) => {
      const shell = open(command);
      const { certificate } = await fetchTrust(shell);
      shell.say(shell.json ? JSON.stringify({ certificate }) : certificate.trimEnd());
    });
  trust
    .command("install")
    .description("put the CA's certificate into a trust store")
    .option("--target <dir>", "copy it into this folder (e.g. of an image) instead of the host's store")
    .addHelpText("after", "\nExample:\n  sudo sallyport trust install --target rootfs/usr/local/share/ca-certificates")
    .action((options: { target?: string }, command: Command) => install(open(command), options.target));
  trust
    .command("env")
    .description("print the variables that `run` sets, for a shell to evaluate")
    .addHelpText("after", '\nExample:\n  eval "$(sallyport trust env)"')
    .action(async (_options: object, command: Command) => {
      const shell = open(command);
      const { environment } = await fetchTrust(shell);
      if (shell.json) return shell.say(JSON.stringify(environment));
      for (const [name, value] of Object.entries(environment)) shell.say(`export ${name}=${quoted(value)}`);
    });
}

function fetchTrust(shell: Shell): Promise<TrustExport> {
  return shell.api.get<TrustExport>("/v1/trust");
}

async function install(shell: Shell, target: string | undefined): Promise<void> {
  const { certificate } = await fetchTrust(shell);
  const file = join(target ?? SYSTEM_FOLDER, FILE_NAME);
  const updates = target === undefined && existsSync(UPDATE);
  try {
    mkdirSync(target ?? SYSTEM_FOLDER, { recursive: true });
    writeFileSync(file, certificate, { mode: 0o644 });
    if (updates) await promisify(execFile)(UPDATE, []);
  } catch (cause) {
    const denied = /^(EACCES|EPERM|EROFS)$/.test(codeOf(cause));
    const remedy = denied ? "Use sudo, or another folder with --target" : "Mend what it says and try again";
    throw new UserError("TRUST_INSTALL", `Cannot install ${file}: ${messageOf(cause)}`, remedy, {
      cause,
      exitCode: denied ? 4 : 1,
    });
  }
  if (shell.json) shell.say(JSON.stringify({ file, updated: updates }));
  else shell.say(`installed ${file}${updates ? " and updated the system's store" : ""}`);
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
