/** audit verify, key, checkpoint; sessions verify, export, keys: is it as it was written, and the same for a stranger. */
import { once } from "node:events";
import { constants, createWriteStream, mkdtempSync, openSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import type { Command } from "commander";
import { codeOf, messageOf, UserError } from "../../../base/errors.ts";
import type { DataKeyListing, EvidenceLine, EvidenceSummary, HostKeyListing } from "../../evidence-ports.ts";
import { clearingAway } from "../clearing.ts";
import { step } from "../client.ts";
import { count, moment, printable, table } from "../show.ts";
import { Exit, type OpenShell, type Shell } from "../world.ts";

export function addAuditCommands(program: Command, open: OpenShell): void {
  const audit = program
    .command("audit")
    .description("prove that the audit trail and the recordings are as they were written")
    .addHelpText("after", "\nExample:\n  sudo sallyport audit verify");
  audit
    .command("verify")
    .description("look for anything that was changed, moved, added or taken away")
    .option("--checkpoint <file>", "a checkpoint that was kept outside: finds a host that was set back")
    .option("--offline <dir>", "a state folder or a copy of one, without a daemon")
    .option("--key <file>", "with --offline: the host's public key, as `audit key` printed it")
    .addHelpText(
      "after",
      "\nExamples:\n  sudo sallyport audit verify --checkpoint /mnt/siem/last.json\n  sallyport audit verify --offline copy/ --key ci-1.pem\n\nExit code 1: something was tampered with.",
    )
    .action((options: VerifyOptions, command: Command) => verify(open(command), options));
  audit
    .command("key")
    .description("print the public key that checkpoints are signed with (PEM); keep it where the host cannot change it")
    .addHelpText("after", "\nExample:\n  sallyport audit key > ci-1.pem")
    .action(async (_options: object, command: Command) => {
      const shell = open(command);
      const key = await shell.api.get<HostKeyListing>("/v1/audit/key");
      shell.say(shell.json ? JSON.stringify(key) : key.publicKey.trimEnd());
    });
  audit
    .command("checkpoint")
    .description("sign all that was recorded until now, and print that as one line to keep outside")
    .addHelpText("after", "\nExample:\n  sudo sallyport audit checkpoint | ssh archive 'cat >> ci-1.checkpoints'")
    .action(async (_options: object, command: Command) => {
      const shell = open(command);
      shell.say(JSON.stringify(await shell.api.post<object>("/v1/audit/checkpoint", {})));
    });
}

export function addSessionEvidenceCommands(sessions: Command, open: OpenShell): void {
  sessions
    .command("verify [id]")
    .description("prove that a recording, or each of them, is as it was written")
    .option("--checkpoint <file>", "a checkpoint that was kept outside")
    .option("--bundle <file>", "an exported one, without a daemon")
    .option("--key <file>", "with --bundle: the host's public key, as `audit key` printed it")
    .addHelpText(
      "after",
      "\nExamples:\n  sudo sallyport sessions verify ID\n  sallyport sessions verify --bundle ID.tar --key ci-1.pem",
    )
    .action((id: string | undefined, options: BundleOptions, command: Command) => {
      const shell = open(command);
      if (options.bundle !== undefined) return verifyBundleFile(shell, id, options);
      if (options.key !== undefined) throw usage("--key goes with --bundle: a running daemon knows its own key");
      return verify(shell, { ...options, ...(id === undefined ? {} : { session: id }) });
    });
  sessions
    .command("export <id>")
    .description("one file with a recording and all that proves it, for `sessions verify --bundle`")
    .option("--out <file>", "where it goes; - is the standard output", "")
    .addHelpText("after", "\nExample:\n  sudo sallyport sessions export ID --out incident-7.tar")
    .action((id: string, { out }: { out: string }, command: Command) => exportBundle(open(command), id, out));
  const keys = sessions
    .command("keys")
    .description("the data keys that recordings are sealed with")
    .addHelpText("after", "\nExample:\n  sudo sallyport sessions keys destroy 2026-01-31-0a1b2c3d --reason 'retention'")
    .action((_options: object, command: Command) => listKeys(open(command)));
  keys
    .command("destroy <id>")
    .description("destroy a data key: what was sealed with it can never be read again")
    .requiredOption("--reason <text>", "why, for the audit trail")
    .addHelpText("after", "\nExample:\n  sudo sallyport sessions keys destroy ID --reason 'end of contract'")
    .action(async (id: string, { reason }: { reason: string }, command: Command) => {
      const shell = open(command);
      await shell.api.post(`/v1/data-keys/${step(id)}/destroy`, { reason });
      shell.say(shell.json ? JSON.stringify({ id, destroyed: true }) : `destroyed ${printable(id)}`);
    });
}

interface VerifyOptions {
  readonly session?: string;
  readonly checkpoint?: string;
  readonly offline?: string;
  readonly key?: string;
}

interface BundleOptions {
  readonly checkpoint?: string;
  readonly bundle?: string;
  readonly key?: string;
}

async function verify(shell: Shell, { session, checkpoint, offline, key }: VerifyOptions): Promise<void> {
  const asked = {
    ...(session === undefined ? {} : { session }),
    ...(checkpoint === undefined ? {} : { anchor: (await readText(checkpoint)).trim() }),
  };
  if (offline === undefined) {
    if (key !== undefined) throw usage("--key goes with --offline: a running daemon knows its own key");
    return report(shell, shell.api.lines<EvidenceLine>("/v1/audit/verify", asked));
  }
  if (key === undefined) throw usage("--offline needs --key: the host's public key, as `audit key` printed it");
  const { verifyOffline } = await shell.world.loadDaemon();
  return report(shell, verifyOffline({ stateDir: offline, publicKey: await readText(key), ...asked }));
}

async function verifyBundleFile(
  shell: Shell,
  id: string | undefined,
  { bundle, key, checkpoint }: BundleOptions,
): Promise<void> {
  if (bundle === undefined || key === undefined) {
    throw usage("--bundle needs --key: the host's public key, as `audit key` printed it");
  }
  const { verifyBundle } = await shell.world.loadDaemon();
  const asked = {
    ...{ file: bundle, publicKey: await readText(key) },
    ...(id === undefined ? {} : { session: id }),
    ...(checkpoint === undefined ? {} : { anchor: (await readText(checkpoint)).trim() }),
  };
  const scratch = mkdtempSync(join(tmpdir(), "sallyport-verify-"));
  await clearingAway(scratch, () => report(shell, verifyBundle({ ...asked, scratch }), id));
  rmSync(scratch, { recursive: true, force: true });
}

/** Says each finding as it comes. Ends with 1 where something was tampered with. */
async function report(shell: Shell, lines: AsyncIterable<EvidenceLine>, session?: string): Promise<void> {
  let summary: EvidenceSummary | undefined;
  for await (const line of lines) {
    if (line.kind === "summary") summary = line;
    if (line.kind === "progress") {
      const seen = `${count(line.sessions, "recording")}, ${count(line.records, "record")} so far`;
      if (shell.world.stderr.isTTY === true) shell.warn(seen);
    } else if (shell.json) shell.say(JSON.stringify(line));
    else if (line.kind === "finding") {
      const word = line.verdict === "tampered" ? shell.colours.red("TAMPERED") : shell.colours.yellow("unproved");
      shell.say(`${word} ${line.what.padEnd(11)} ${printable(line.where)}: ${printable(line.message)}`);
    }
  }
  if (summary === undefined) throw new UserError("ANSWER_BROKEN", "Cannot tell: the verification did not end", "");
  if (!shell.json) shell.say(summaryText(summary, shell, session));
  if (summary.tampered > 0) throw new Exit(1);
}

function summaryText({ tampered, unproved, ...seen }: EvidenceSummary, { colours }: Shell, session = ""): string {
  const { last } = seen;
  const signed = last === undefined ? "no checkpoint" : `newest checkpoint ${last.number} of ${moment(last.atMs)}`;
  const events = seen.events === 0 ? "" : `${count(seen.events, "event")}, `;
  const looked = `${session}${session === "" ? "" : ": "}${events}${count(seen.sessions, "recording")}, ${count(seen.records, "record")}, ${signed}`;
  const open = unproved === 0 ? "" : `, ${unproved} unproved`;
  if (tampered > 0) return `${looked}\n${colours.red(`${count(tampered, "finding")} of tampering${open}`)}`;
  return `${looked}\n${colours.green(`nothing was tampered with${open}`)}`;
}

async function exportBundle(shell: Shell, id: string, out: string): Promise<void> {
  const file = out === "" ? `${id}.tar` : out;
  const bytes = shell.api.bytes(`/v1/sessions/${step(id)}/bundle`);
  if (file === "-") {
    for await (const chunk of bytes) shell.world.stdout.write(chunk);
    return;
  }
  let written = 0;
  const first = await bytes.next(); // a session that is not there makes no file
  const stream = createWriteStream("", { fd: create(file) });
  const write = async () => {
    for (let next = first; next.done !== true; next = await bytes.next()) {
      written += next.value.length;
      if (!stream.write(next.value)) await once(stream, "drain");
    }
    stream.end();
    await finished(stream);
  };
  try {
    await clearingAway(file, write);
  } catch (cause) {
    stream.destroy();
    if (cause instanceof UserError) throw cause;
    throw new UserError(
      "EXPORT_FAILED",
      `Cannot write ${file}: ${messageOf(cause)}`,
      "Make room, or name another file",
      {
        cause,
      },
    );
  }
  shell.say(shell.json ? JSON.stringify({ file, bytes: written }) : `wrote ${file}, ${count(written, "byte")}`);
}

/** For the owner alone: what an agent asked and got stands in it. */
function create(file: string): number {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  try {
    return openSync(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  } catch (cause) {
    const isThere = codeOf(cause) === "EEXIST";
    const message = `Cannot write ${file}: ${isThere ? "it is there already" : messageOf(cause)}`;
    throw new UserError("EXPORT_FAILED", message, "Name another file with --out", { cause });
  }
}

async function listKeys(shell: Shell): Promise<void> {
  const keys = await shell.api.get<DataKeyListing[]>("/v1/data-keys");
  if (shell.json) return shell.say(JSON.stringify(keys));
  if (keys.length === 0) return shell.say("no data keys: recordings are not sealed (settings: recording.seal)");
  const state = ({ isCurrent, destroyedMs, reason = "" }: DataKeyListing) => {
    if (destroyedMs === undefined) return isCurrent ? "in use" : "";
    return `destroyed ${moment(destroyedMs)}: ${printable(reason)}`;
  };
  const columns = [
    { title: "KEY", cell: ({ id }: DataKeyListing) => id },
    { title: "MADE", cell: ({ createdMs }: DataKeyListing) => moment(createdMs) },
    { title: "STATE", cell: state },
  ];
  shell.say(table(keys, columns, shell.colours));
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new UserError("FILE_UNREADABLE", `Cannot read ${file}: ${codeOf(cause)}`, "Name a file that is there", {
      cause,
    });
  }
}

function usage(message: string): UserError {
  return new UserError("USAGE", message, "See: sallyport audit verify --help", { exitCode: 2 });
}
