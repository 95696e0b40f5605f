/** The command line as a tree: global flags, help, how errors are said. `groups.ts` has the files of its commands. */
import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { UserError } from "../../base/errors.ts";
import { complain, wantsJson } from "./complain.ts";
import { groupsFor } from "./groups.ts";
import { Exit, RUN_DIR, shellOpener, type World } from "./world.ts";

/** Runs one command. Returns the exit code: 0 fine, 1 failed, 2 wrong usage, 3 daemon not reachable, 4 not permitted. */
export async function runCommandLine(world: World): Promise<number> {
  const program = await createProgram(world);
  try {
    await program.parseAsync([...world.argv], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.exitCode;
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      return complain(world, usageError(error, namedIn(world.argv, program)));
    }
    return complain(world, error);
  }
}

async function createProgram(world: World): Promise<Command> {
  const program = new Command("sallyport")
    .description("Guards agent runtimes: redirects, judges, masks and records what tagged cgroups send")
    .version(version(), "-V, --version")
    .addOption(
      new Option("--run <dir>", "folder of the daemon's sockets (SALLYPORT_RUN_DIR)").default(
        world.env["SALLYPORT_RUN_DIR"] ?? RUN_DIR,
      ),
    )
    .addOption(
      new Option("--url <url>", "a daemon on another host, by its API over TLS (SALLYPORT_URL)").default(
        environment(world, "SALLYPORT_URL"),
        "this host's",
      ),
    )
    .addOption(
      new Option("--ca <file>", "roots in PEM by which that is verified, not the system's (SALLYPORT_CA)").default(
        environment(world, "SALLYPORT_CA"),
        "the system's",
      ),
    )
    .option("--json", "print JSON, also for errors")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      // Commander's own wording of errors is said by `complain`; a bare `sallyport` prints its help here.
      writeErr: (text) => void (text.startsWith("error:") || wantsJson(world.argv) || world.stderr.write(text)),
      outputError: () => {},
    })
    .addHelpText("after", EXAMPLES);
  const open = shellOpener(world);
  const adds = await Promise.all(groupsFor(world.argv).map(({ load }) => load()));
  for (const add of adds) add(program, open);
  for (const command of everyCommand(program)) {
    command.copyInheritedSettings(program);
    command.exitOverride();
  }
  return program;
}

/** Undefined also where it is set to nothing. */
function environment({ env }: World, name: string): string | undefined {
  return env[name] === "" ? undefined : env[name];
}

/** All commands below one, depth first. */
export function everyCommand(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...everyCommand(child)]);
}

/** `command`: whose help says more, "sallyport hooks". */
function usageError(error: CommanderError, command: string): UserError {
  const message = error.code === "commander.help" ? "Name a command" : error.message.replace(/^error: /, "");
  return new UserError("USAGE", message, `See: ${command} --help`, { exitCode: 2 });
}

/** The deepest command that a line names. What stands behind "--" is another program's. */
function namedIn(argv: readonly string[], program: Command): string {
  const names = [program.name()];
  let command = program;
  for (const word of argv) {
    if (word === "--") break;
    const child = command.commands.find((one) => one.name() === word);
    if (child === undefined) continue;
    names.push(word);
    command = child;
  }
  return names.join(" ");
}

function version(): string {
  const file = new URL("../../../package.json", import.meta.url);
  return String((JSON.parse(readFileSync(file, "utf8")) as { version: unknown }).version);
}

const EXAMPLES = `
Examples:
  sudo sallyport up                              start the daemon in the foreground
  sallyport run --as ci -- psql -h db.internal   run a guarded command
  sudo sallyport sessions                        what agents did
  sudo sallyport sessions replay ID              see it again
  sudo sallyport search 'agent:ci drop table'    who ran this?
  sallyport approvals watch                      what waits for a reviewer, and answer it

Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 daemon not reachable, 4 not permitted.`;
