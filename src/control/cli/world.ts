/** What the command line gets from outside and how it speaks: one value per call, so that tests can hold it. */
import type { Readable } from "node:stream";
import type { Command } from "commander";
import picocolors from "picocolors";
import type { DaemonModule } from "../ports.ts";
import { ApiClient } from "./client.ts";
import { readRemote } from "./remote.ts";
import { bearerOf } from "./session-file.ts";

/** Where sockets live unless --run or SALLYPORT_RUN_DIR say otherwise. */
export const RUN_DIR = "/run/sallyport";
/** Where state lives unless --state or SALLYPORT_STATE_DIR say otherwise. */
export const STATE_DIR = "/var/lib/sallyport";

export interface Output {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  /** Of a terminal. */
  readonly columns?: number;
  readonly rows?: number;
}

/** A terminal can give its keys one by one. */
export type Input = Readable & { readonly isTTY?: boolean; setRawMode?(isRaw: boolean): unknown };

export interface World {
  /** Without the runtime and the script. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  /** main.ts, for the few commands that work without a daemon or become one. */
  loadDaemon(): Promise<DaemonModule>;
}

/** One command's view of the world, after its options were read. */
export interface Shell {
  readonly world: World;
  readonly json: boolean;
  readonly runDir: string;
  /** Which daemon is asked: its run folder, or the origin of one on another host. */
  readonly daemon: string;
  readonly api: ApiClient;
  /** For what goes to stdout. */
  readonly colours: Colours;
  /** A line to stdout. */
  say(line: string): void;
  /** A line to stderr. */
  warn(line: string): void;
}

export type Colours = ReturnType<typeof picocolors.createColors>;

/** Ends the program with a code after everything was said. */
export class Exit extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

export type OpenShell = (command: Command) => Shell;

export function shellOpener(world: World): OpenShell {
  return (command) => {
    const options = command.optsWithGlobals<{ json?: boolean; run: string; url?: string; ca?: string }>();
    const remote = options.url === undefined ? undefined : readRemote(options.url, options.ca, firstWord(command));
    const daemon = remote?.origin ?? options.run;
    return {
      world,
      json: options.json ?? false,
      runDir: options.run,
      daemon,
      api: new ApiClient(
        options.run,
        {
          bearer: () => bearerOf(world.env, daemon),
          ...(options.json === true ? {} : { say: (words) => world.stderr.write(`${words}\n`) }),
        },
        remote,
      ),
      colours: coloursFor(world, world.stdout),
      say: (line) => world.stdout.write(`${line}\n`),
      warn: (line) => world.stderr.write(`${line}\n`),
    };
  };
}

/** "hooks" of `hooks install`. */
function firstWord(command: Command): string {
  const { parent } = command;
  return parent === null || parent.parent === null ? command.name() : firstWord(parent);
}

/** Colour only where a person looks. Source: no-color.org. */
export function coloursFor(world: World, output: Output): Colours {
  const refused = (world.env["NO_COLOR"] ?? "") !== "" || world.env["TERM"] === "dumb";
  return picocolors.createColors(output.isTTY === true && !refused);
}
