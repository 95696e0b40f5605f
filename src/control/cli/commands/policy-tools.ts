/** policy explain, test, replay, suggest and packs. What agents wrote is shown printable only. */
import { type Command, InvalidArgumentError } from "commander";
import { durationMs } from "../../../base/duration.ts";
import { UserError } from "../../../base/errors.ts";
import { API_LIST_MAX } from "../../../base/limits.ts";
import type { ExplainedGrant, ExplainedRule, Explanation } from "../../../policy/explanation.ts";
import type { Change, ReplaySummary } from "../../../policy/replay.ts";
import type { Suggestion } from "../../../policy/suggest.ts";
import type { ExplainRequest, RecordedQuery } from "../../policy-ports.ts";
import { type Pack, policyFilesAt, policyPacks } from "../policy-files.ts";
import { count, moment, printable, printableLines, table } from "../show.ts";
import { type Colours, Exit, type OpenShell, type Shell } from "../world.ts";

interface QueryOptions {
  readonly agent?: string;
  readonly since?: number;
  readonly sessions: number;
}

interface ExplainOptions {
  readonly agent?: string;
  readonly connection?: string;
  readonly user?: string;
  readonly executable?: string;
  readonly at?: number;
  readonly session?: string;
  readonly entry?: number;
  readonly config?: string;
}

export function addPolicyTools(policy: Command, open: OpenShell): void {
  policy
    .command("explain [text]")
    .description("every rule that covers a statement, or a recorded one, and why it matched or not")
    .option("--agent <name>", "who would ask")
    .option("--connection <name>", "over which connection")
    .option("--user <name>", "as which user of this host")
    .option("--executable <path>", "by which program")
    .option("--at <time>", "when, for rules that read time: 2025-03-01T18:30Z", readMoment)
    .option("--session <id>", "a recorded session instead")
    .option("--entry <number>", "which of its entries, as `sessions show` numbers them", readNumber)
    .option("--config <file>", "without a daemon: the settings to go by")
    .addHelpText(
      "after",
      "\nExamples:\n  sallyport policy explain --agent ci --connection orders 'DELETE FROM t'" +
        "\n  sallyport policy explain --session ID --entry 7 --json",
    )
    .action((text: string | undefined, options: ExplainOptions, command: Command) =>
      explain(open(command), text, options),
    );
  policy
    .command("test [paths...]")
    .description("run *.test.yaml files; without any, those beside the policy that the settings name")
    .option("--coverage", "fail when no case exercises a rule")
    .option("--config <file>", "the settings that name the policy")
    .addHelpText("after", "\nExample:\n  sallyport policy test policies --coverage")
    .action((paths: string[], options: { coverage?: boolean; config?: string }, command: Command) =>
      runTests(open(command), paths, options),
    );
  ofRecorded(policy.command("replay <draft...>"))
    .description("which recorded statements a draft would decide otherwise")
    .addHelpText("after", "\nExample:\n  sudo sallyport policy replay draft.yaml --since 7d")
    .action((draft: string[], options: QueryOptions, command: Command) => runReplay(open(command), draft, options));
  ofRecorded(policy.command("suggest"))
    .description("the smallest rules under which recorded statements pass, as a file to review")
    .addHelpText("after", "\nExample:\n  sudo sallyport policy suggest --agent ci --since 1d > draft.yaml")
    .action((options: QueryOptions, command: Command) => runSuggest(open(command), options));
  policy
    .command("packs")
    .description("ready policies to begin with")
    .addHelpText("after", "\nExample:\n  sallyport policy packs show databases-read-only > policies/orders.yaml")
    .action((_options: object, command: Command) => listPacks(open(command)))
    .command("show <name>")
    .description("print one")
    .addHelpText("after", "\nExample:\n  sallyport policy packs show pii")
    .action((name: string, _options: object, command: Command) => showPack(open(command), name));
}

function ofRecorded(command: Command): Command {
  return command
    .option("--agent <name>", "of this agent only")
    .option("--since <time>", "a time ago (7d) or a moment (2025-03-01)", readSince)
    .option("--sessions <number>", "of the newest so many sessions", readSessions, API_LIST_MAX);
}

async function explain(shell: Shell, text: string | undefined, options: ExplainOptions): Promise<void> {
  const explanation = await explanationOf(shell, text, options);
  if (shell.json) shell.say(JSON.stringify(explanation));
  else for (const line of explanationLines(explanation, shell.colours)) shell.say(line);
}

/** Typed in, it needs no daemon: settings are read here then. */
async function explanationOf(shell: Shell, text: string | undefined, options: ExplainOptions): Promise<Explanation> {
  const { agent, connection, user, executable, at: atMs, session, entry, config } = options;
  if (session !== undefined || entry !== undefined) {
    if (session === undefined || entry === undefined || text !== undefined) throw unclear();
    return shell.api.post("/v1/policy/explain", { session, entry });
  }
  if (text === undefined || agent === undefined || connection === undefined) throw unclear();
  const request: ExplainRequest = {
    ...{ agent, connection, text },
    ...(user === undefined ? {} : { user }),
    ...(executable === undefined ? {} : { executable }),
    ...(atMs === undefined ? {} : { atMs }),
  };
  if (config === undefined) {
    try {
      return await shell.api.post<Explanation>("/v1/policy/explain", request);
    } catch (error) {
      if (!(error instanceof UserError) || (error.exitCode !== 3 && error.exitCode !== 4)) throw error;
    }
  }
  const { explainOffline } = await shell.world.loadDaemon();
  return explainOffline(request, config);
}

function unclear(): UserError {
  const message = "Cannot tell what to explain";
  const remedy = "Name --agent, --connection and a statement, or --session and --entry";
  return new UserError("USAGE", message, remedy, { exitCode: 2 });
}

function explanationLines(explanation: Explanation, colours: Colours): string[] {
  const { decision, rules, message, shadow, operations, grant } = explanation;
  const by = rules.length === 0 ? "" : ` by ${rules.map(printable).join(", ")}`;
  const lines = [`${coloured(decision, colours)}${by}${message === "" ? "" : `: ${printable(message)}`}`];
  if (grant !== undefined) lines.push(grantLine(grant, colours));
  for (const { rule, would } of shadow) {
    lines.push(colours.yellow(`with rule ${printable(rule)}, which is in shadow: ${would}`));
  }
  for (const { text, forbidden, actions } of operations) {
    lines.push("", colours.bold(printableLines(text.trim(), "")));
    if (forbidden !== undefined) lines.push(`  forbidden, whatever the rules say: ${forbidden.rule}`);
    else if (actions.length === 0) lines.push("  housekeeping, which the rule that allowed `connect` permits");
    for (const { name, facts, rules: covering } of actions) {
      lines.push(`  ${name}  ${colours.dim(printable(JSON.stringify(facts)))}`);
      if (covering.length === 0) lines.push("    no rule covers it");
      lines.push(...covering.flatMap((rule) => ruleLines(rule, colours)));
    }
  }
  return lines;
}

function grantLine({ by, not, known }: ExplainedGrant, colours: Colours): string {
  if (by.length > 0) return `the connection needs a grant: ${by.map(printable).join(", ")}`;
  const where = known === "settings" ? "the settings give it none" : "it has none";
  const reasons = not.length === 0 ? "" : ` (${not.map(printable).join("; ")})`;
  return `${colours.red("refused")} before that: the connection needs a grant, and ${where}${reasons}`;
}

function ruleLines(rule: ExplainedRule, colours: Colours): readonly string[] {
  const { name, file, line, outcome, shadow, matched, failure, because } = rule;
  const word = matched ? colours.green("matched") : failure === undefined ? "did not match" : colours.red("failed");
  const place = colours.dim(`${printable(file)}:${line}`);
  const head = `    ${printable(name)} (${outcome}${shadow ? ", in shadow" : ""}) ${word}  ${place}`;
  const causes = because.map(({ text, failure: why, facts }) => {
    const read = Object.entries(facts).map(([path, value]) => `${path} = ${JSON.stringify(value)}`);
    const what = why === undefined ? "is false" : `failed: ${why}`;
    return `      ${printable(text)} ${what}${read.length === 0 ? "" : colours.dim(printable(`; ${read.join(", ")}`))}`;
  });
  return [head, ...causes];
}

function coloured(decision: Explanation["decision"], colours: Colours): string {
  switch (decision) {
    case "allow":
      return colours.green(decision);
    case "deny":
      return colours.red(decision);
    case "hold":
      return colours.yellow(decision);
    default:
      return decision satisfies never;
  }
}

async function runTests(
  shell: Shell,
  paths: readonly string[],
  { coverage = false, config }: { coverage?: boolean; config?: string },
): Promise<void> {
  const { testPolicies } = await shell.world.loadDaemon();
  const result = await testPolicies(paths, config);
  const failed = result.results.filter(({ passed }) => !passed);
  const unused = result.coverage.filter(({ cases }) => cases === 0);
  if (shell.json) shell.say(JSON.stringify(result));
  else {
    for (const { name, file, line, problem } of failed) {
      shell.say(`${shell.colours.red("failed")} ${printable(`${file}:${line} ${name}: ${problem}`)}`);
    }
    for (const { rule, file, line } of unused) {
      const word = coverage ? shell.colours.red("unused") : shell.colours.yellow("unused");
      shell.say(`${word} ${printable(`${file}:${line} rule ${rule}: no case exercises it`)}`);
    }
    for (const { agent, connection } of result.ungranted) {
      const what = `${agent} reaches ${connection} by a grant alone, and the settings give it none`;
      shell.say(`${shell.colours.yellow("ungranted")} ${printable(what)}`);
    }
    const rules = result.coverage.length;
    const passed = result.results.length - failed.length;
    shell.say(
      `${passed} passed, ${failed.length} failed; ${rules - unused.length} of ${count(rules, "rule")} exercised`,
    );
  }
  if (failed.length > 0 || (coverage && unused.length > 0)) throw new Exit(1);
}

async function runReplay(shell: Shell, draft: readonly string[], options: QueryOptions): Promise<void> {
  const body = { files: policyFilesAt(draft), ...queryOf(options) };
  for await (const found of shell.api.lines<Change | ReplaySummary>("/v1/policy/replay", body)) {
    if (shell.json) shell.say(JSON.stringify(found));
    else if ("changes" in found) {
      const unknown = found.unknown === 0 ? "" : `; ${found.unknown} cannot be judged again`;
      shell.say(`${count(found.changes, "change")} among ${count(found.asks, "statement")}${unknown}`);
    } else shell.say(changeText(found, shell.colours));
  }
}

function changeText({ session, number, atMs, agent, connection, text, was, would }: Change, colours: Colours): string {
  const head = `${moment(atMs)}  ${session} entry ${number}  ${agent} -> ${connection}`;
  const by = (rules: readonly string[]) => (rules.length === 0 ? "" : ` (${rules.map(printable).join(", ")})`);
  return [
    colours.dim(printable(head)),
    `  ${coloured(was.decision, colours)}${by(was.rules)} -> ${coloured(would.decision, colours)}${by(would.rules)}`,
    `  ${printableLines(text, "  ")}`,
    ...(would.message === "" ? [] : [`  ${printable(would.message)}`]),
  ].join("\n");
}

async function runSuggest(shell: Shell, options: QueryOptions): Promise<void> {
  const suggestion = await shell.api.post<Suggestion>("/v1/policy/suggest", queryOf(options));
  if (shell.json) shell.say(JSON.stringify(suggestion));
  else shell.world.stdout.write(suggestion.text);
}

function queryOf({ agent, since, sessions }: QueryOptions): RecordedQuery {
  return {
    ...(agent === undefined ? {} : { agent }),
    ...(since === undefined ? {} : { sinceMs: since }),
    sessions,
  };
}

function listPacks(shell: Shell): void {
  const packs = policyPacks();
  if (shell.json) {
    shell.say(JSON.stringify(packs.map(({ name, about }) => ({ name, about }))));
    return;
  }
  const columns = [
    { title: "NAME", cell: ({ name }: Pack) => name },
    { title: "ABOUT", cell: ({ about }: Pack) => about },
  ];
  shell.say(table(packs, columns, shell.colours));
}

function showPack(shell: Shell, name: string): void {
  const packs = policyPacks();
  const pack = packs.find((one) => one.name === name);
  if (pack === undefined) {
    const known = packs.map((one) => one.name).join(", ");
    throw new UserError("PACK_UNKNOWN", `Cannot find the pack ${name}`, `There are: ${known}`);
  }
  if (shell.json) shell.say(JSON.stringify(pack));
  else shell.world.stdout.write(pack.text);
}

function readMoment(text: string): number {
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs)) throw new InvalidArgumentError("Write it like 2025-03-01T18:30Z.");
  return atMs;
}

/** A time ago, or a moment. */
function readSince(text: string): number {
  const ago = durationMs(text);
  return ago === undefined ? readMoment(text) : Date.now() - ago;
}

function readNumber(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError("It is a number from 1.");
  return Number(text);
}

function readSessions(text: string): number {
  const most = readNumber(text);
  if (most > API_LIST_MAX) throw new InvalidArgumentError(`It must be between 1 and ${API_LIST_MAX}.`);
  return most;
}
