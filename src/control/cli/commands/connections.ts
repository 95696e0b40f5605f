/** connections: backends and their credentials. A secret comes from a file or stdin and leaves in a body, never in argv. */
import type { Readable } from "node:stream";
import { type Command, InvalidArgumentError, Option } from "commander";
import { UserError } from "../../../base/errors.ts";
import { PEM_BYTES_MAX, SECRET_BYTES_MAX } from "../../../base/limits.ts";
import type { ConnectionListing, ConnectionTest } from "../../ports.ts";
import { readBounded, tooLarge } from "../bounded-file.ts";
import { step } from "../client.ts";
import { printable, table } from "../show.ts";
import { Exit, type OpenShell, type Shell } from "../world.ts";

interface PasswordOptions {
  readonly passwordFile?: string;
  readonly passwordStdin?: boolean;
}

interface AddOptions extends PasswordOptions {
  readonly protocol: string;
  readonly address: string[];
  readonly user?: string;
  readonly tls?: string;
  readonly tlsName?: string;
  readonly tlsCa?: string;
  readonly label?: Readonly<Record<string, string>>;
}

export function addConnectionCommands(program: Command, open: OpenShell): void {
  const connections = program
    .command("connections")
    .description("list registered backends")
    .addHelpText("after", "\nExamples:\n  sallyport connections\n  sudo sallyport connections test orders")
    .action((_options: object, command: Command) => list(open(command)));
  withPassword(
    connections.command("add <name>").description("register a backend; its credential is sealed in the vault"),
  )
    .requiredOption("--protocol <protocol>", "e.g. postgres")
    .requiredOption("--address <address...>", "what agents dial: host:port, an IP address or a network")
    .option("--user <user>", "the name to log in with")
    .addOption(new Option("--tls <mode>", "towards the backend").choices(["disable", "require", "verify-full"]))
    .option("--tls-name <name>", "the name in the server's certificate, instead of the first address's")
    .option("--tls-ca <file>", "PEM file of the roots to trust, instead of the system's")
    .option("--label <key=value...>", "a label for policies", readLabel)
    .addHelpText(
      "after",
      "\nExample:\n  sudo sallyport connections add orders --protocol postgres --address orders.db.internal:5432 \\\n    --user orders_app --password-file ./secret --label environment=prod",
    )
    .action((name: string, options: AddOptions, command: Command) => add(open(command), name, options));
  withPassword(connections.command("rotate <name>").description("replace a sealed credential; agents notice nothing"))
    .addHelpText("after", "\nExample:\n  pass show orders | sudo sallyport connections rotate orders --password-stdin")
    .action(async (name: string, options: PasswordOptions, command: Command) => {
      const shell = open(command);
      const password = await readPassword(shell, options);
      if (password === undefined) throw usage("Name one of --password-file and --password-stdin");
      await shell.api.post(`/v1/connections/${step(name)}/rotate`, { password });
      told(shell, { name, rotated: true }, `${name}: rotated; the next login uses it`);
    });
  connections
    .command("test <name>")
    .description("dial, verify and log in")
    .addHelpText("after", "\nExample:\n  sudo sallyport connections test orders")
    .action((name: string, _options: object, command: Command) => test(open(command), name));
  connections
    .command("remove <name>")
    .description("forget a backend that was added, and its credential")
    .addHelpText("after", "\nExample:\n  sudo sallyport connections remove orders")
    .action(async (name: string, _options: object, command: Command) => {
      const shell = open(command);
      await shell.api.delete(`/v1/connections/${step(name)}`);
      told(shell, { name, removed: true }, `${name}: removed`);
    });
}

async function list(shell: Shell): Promise<void> {
  const connections = await shell.api.get<ConnectionListing[]>("/v1/connections");
  if (shell.json) return shell.say(JSON.stringify(connections));
  if (connections.length === 0) return shell.say("no connections: add one, or list them in the settings");
  shell.say(
    table(
      connections,
      [
        { title: "NAME", cell: ({ name }) => name },
        { title: "PROTOCOL", cell: ({ protocol }) => protocol },
        { title: "ADDRESSES", cell: ({ addresses }) => addresses.join(",") },
        { title: "USER", cell: ({ user }) => user ?? "" },
        { title: "CREDENTIAL", cell: ({ credential }) => credential },
        { title: "TLS", cell: ({ tls }) => tls },
        {
          title: "LABELS",
          cell: ({ labels }) =>
            Object.entries(labels)
              .map(([key, value]) => `${key}=${value}`)
              .join(","),
        },
      ],
      shell.colours,
    ),
  );
}

async function add(shell: Shell, name: string, options: AddOptions): Promise<void> {
  const password = await readPassword(shell, options);
  const { tls: mode, tlsName, tlsCa, user, label = {} } = options;
  const tls = {
    ...(mode === undefined ? {} : { mode }),
    ...(tlsName === undefined ? {} : { name: tlsName }),
    ...(tlsCa === undefined ? {} : { ca: readBounded(tlsCa, PEM_BYTES_MAX).toString("utf8") }),
  };
  const added = await shell.api.post<ConnectionListing>("/v1/connections", {
    name,
    protocol: options.protocol,
    addresses: options.address,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    tls,
    labels: label,
  });
  told(shell, added, `${name}: added (${added.addresses.join(", ")}, credential ${added.credential})`);
}

async function test(shell: Shell, name: string): Promise<void> {
  const result = await shell.api.post<ConnectionTest>(`/v1/connections/${step(name)}/test`, {});
  if (shell.json) {
    shell.say(JSON.stringify(result));
  } else {
    for (const { name: part, ok, detail } of result.steps) {
      const verdict = ok ? shell.colours.green("ok    ") : shell.colours.red("failed");
      shell.say(`${verdict}  ${printable(part)}  ${printable(detail)}`);
    }
  }
  if (!result.ok) throw new Exit(1);
}

function told(shell: Shell, value: object, words: string): void {
  shell.say(shell.json ? JSON.stringify(value) : printable(words));
}

function withPassword(command: Command): Command {
  return command
    .addOption(new Option("--password-file <file>", "read the password from a file").conflicts("passwordStdin"))
    .option("--password-stdin", "read the password from stdin");
}

/** One final line break belongs to the file, not to the password. */
async function readPassword(shell: Shell, options: PasswordOptions): Promise<string | undefined> {
  const bytes = await passwordBytes(shell.world.stdin, options);
  if (bytes === undefined) return undefined;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch {
    throw new UserError("SECRET_ENCODING", "Cannot use the password: it is not UTF-8", "Store it as UTF-8 text");
  }
  if (text === "")
    throw new UserError("SECRET_EMPTY", "Cannot use the password: it is empty", "Check its file or pipe");
  return text;
}

async function passwordBytes(stdin: Readable, options: PasswordOptions): Promise<Buffer | undefined> {
  if (options.passwordFile !== undefined) return readBounded(options.passwordFile, SECRET_BYTES_MAX);
  if (options.passwordStdin !== true) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > SECRET_BYTES_MAX) throw tooLarge("stdin", SECRET_BYTES_MAX);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readLabel(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key === undefined || value === undefined) throw new InvalidArgumentError("It must be key=value.");
  return { ...before, [key]: value };
}

function usage(message: string): UserError {
  return new UserError("USAGE", message, "See: sallyport connections --help", { exitCode: 2 });
}
