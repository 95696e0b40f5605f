/** run: a command as a guarded agent. */
import type { Command } from "commander";
import { UserError } from "../../../base/errors.ts";
import { readToken } from "../bounded-file.ts";
import { runGuarded } from "../guarded.ts";
import { Exit, type OpenShell } from "../world.ts";

interface RunOptions {
  readonly as: string;
  readonly tokenFile?: string;
  readonly user?: string;
  /** False with --no-new-privs. */
  readonly newPrivs: boolean;
  readonly quiet?: boolean;
}

export function addRunCommand(program: Command, open: OpenShell): void {
  program
    .command("run")
    .description("run a command in a fresh guarded cgroup, with the trust variables set")
    .usage("[options] -- CMD [ARG...]")
    .argument("[cmd...]", "the command, behind --")
    .option("--as <agent>", "the agent's name in the settings", "default")
    .option(
      "--token-file <file>",
      "a signed token or SAML response of an issuer in the settings, which says who the agent is",
    )
    .option("--user <name>", "run it as this user; only root may say so (default: who calls)")
    .option("--no-new-privs", "nothing inside gains by setuid programs: no sudo")
    .option("--quiet", "no summary at the end")
    .addHelpText(
      "after",
      `
Examples:
  sallyport run --as ci -- psql -h orders.db.internal -U app orders
  sallyport run --as ci -- sh -c 'npm ci && npm test'
  sudo sallyport run --as ci --user runner -- ./job.sh
  sallyport run --as ci --token-file token.jwt -- ./job.sh

The command has its stdin, stdout and stderr and no other descriptor; sockets of the internet's two families and Unix
ones; no io_uring; no way to processes outside. Root inside, by sudo too, is without the capabilities that undo the guard,
and finds /sys, /proc/sys and cgroups read-only. Called by a plain user, nothing inside gains by setuid programs (sudo),
as if by --no-new-privs, unless the launcher has file capabilities: see "sallyport service".

Exit codes: CMD's own; 128+N when a signal N ended it; 125 when Sallyport failed and CMD was not started;
126 when CMD cannot be executed; 127 when it is not found; 2 wrong usage; 4 not permitted.`,
    )
    .action(async (words: string[], options: RunOptions, command: Command) => {
      const shell = open(command);
      checkWords(words, shell.world.argv);
      const exitCode = await runGuarded(shell, {
        agent: options.as,
        words,
        ...(options.tokenFile === undefined ? {} : { token: readToken(options.tokenFile) }),
        ...(options.user === undefined ? {} : { user: options.user }),
        newPrivileges: options.newPrivs ? "allowed" : "forbidden",
        summary: options.quiet !== true,
      });
      if (exitCode !== 0) throw new Exit(exitCode);
    });
}

/** Without "--" the command's own flags would be read as ours, silently. */
function checkWords(words: readonly string[], argv: readonly string[]): void {
  const message =
    words.length === 0 || words[0] === ""
      ? "Name the command to run"
      : !argv.includes("--")
        ? 'Put "--" before the command'
        : words[0]?.startsWith("-")
          ? "Cannot run a command whose name begins with -"
          : undefined;
  if (message === undefined) return;
  throw new UserError("USAGE", message, "sallyport run --as AGENT -- CMD ARG…", { exitCode: 2 });
}
