/** policy: what is loaded, and whether files could be. Checking works without a daemon. */
import type { Command } from "commander";
import { UserError } from "../../../base/errors.ts";
import type { Problem } from "../../../policy/problem.ts";
import type { PolicyCheck, PolicyStatus } from "../../policy-ports.ts";
import type { DaemonStatus } from "../../ports.ts";
import { policyFilesAt } from "../policy-files.ts";
import { count, moment, printable } from "../show.ts";
import { Exit, type OpenShell, type Shell } from "../world.ts";
import { addPolicyTools } from "./policy-tools.ts";

export function addPolicyCommands(program: Command, open: OpenShell): void {
  const policy = program
    .command("policy")
    .description("show which policy runs")
    .addHelpText("after", "\nExamples:\n  sallyport policy\n  sallyport policy check ./policies")
    .action((_options: object, command: Command) => status(open(command)));
  policy
    .command("check [files...]")
    .description("check policy files or folders; without any, those that the settings name")
    .option("--config <file>", "the settings whose connections and labels the rules may name")
    .addHelpText("after", "\nExample:\n  sallyport policy check policies/orders.yaml --json")
    .action((files: string[], options: { config?: string }, command: Command) =>
      check(open(command), files, options.config),
    );
  addPolicyTools(policy, open);
}

async function status(shell: Shell): Promise<void> {
  const { hash, rules, files, loadedMs, shadow } = await shell.api.get<PolicyStatus>("/v1/policy");
  if (shell.json) return shell.say(JSON.stringify({ hash, rules, files, loadedMs, shadow }));
  shell.say(`${printable(hash)}  ${count(rules, "rule")}, loaded ${moment(loadedMs)}`);
  for (const file of files) shell.say(`  ${printable(file)}`);
  for (const { rule, would } of shadow) {
    const counts = Object.entries(would).map(([what, many]) => `${what} ${count(many, "time")}`);
    shell.say(
      `  in shadow: ${printable(rule)} would ${counts.length === 0 ? "have changed nothing so far" : counts.join(", ")}`,
    );
  }
}

async function check(shell: Shell, paths: readonly string[], settingsFile: string | undefined): Promise<void> {
  const result = await judge(shell, paths, settingsFile);
  if (shell.json) {
    shell.say(JSON.stringify(result));
  } else {
    for (const problem of result.problems) shell.say(problemText(problem));
    for (const warning of result.warnings) shell.say(`${shell.colours.yellow("warning")} ${problemText(warning)}`);
    if (result.problems.length === 0) shell.say(`${shell.colours.green("ok")}: ${count(result.rules, "rule")}`);
    else shell.say(`${shell.colours.red("failed")}: ${count(result.problems.length, "problem")}`);
  }
  if (result.problems.length > 0) throw new Exit(1);
}

/** The daemon knows the connections that rules may name; without one, or without permission, the settings are read here. */
async function judge(shell: Shell, paths: readonly string[], settingsFile: string | undefined): Promise<PolicyCheck> {
  const files = policyFilesAt(paths);
  if (paths.length > 0 && settingsFile === undefined) {
    try {
      return await shell.api.post<PolicyCheck>("/v1/policy/check", { files });
    } catch (error) {
      if (!(error instanceof UserError) || (error.exitCode !== 3 && error.exitCode !== 4)) throw error;
    }
  }
  const { checkPolicyFiles } = await shell.world.loadDaemon();
  const named = files.map(({ path }) => path);
  return checkPolicyFiles(named, settingsFile ?? (named.length > 0 ? undefined : await settingsInForce(shell)));
}

async function settingsInForce(shell: Shell): Promise<string | undefined> {
  try {
    return (await shell.api.get<DaemonStatus>("/v1/status")).settingsFile;
  } catch (error) {
    if (!(error instanceof UserError) || (error.exitCode !== 3 && error.exitCode !== 4)) throw error;
    return undefined;
  }
}

function problemText({ file, line, column, rule, message, remedy }: Problem): string {
  const where = `${file}:${line}:${column}${rule === "" ? "" : ` rule ${rule}`}`;
  return printable([where, `${message}${remedy === "" ? "" : ` ${remedy}`}`].join(": "));
}
