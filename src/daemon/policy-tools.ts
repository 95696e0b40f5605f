/** What the command line's policy tools do: files to policies, typed-in texts through protocols. Puts nothing into force. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf, UserError } from "../base/errors.ts";
import type { ExplainRequest, PolicyTestResult } from "../control/policy-ports.ts";
import type { Holding } from "../identity/holding.ts";
import { DETECTOR_NAMES } from "../masking/detectors.ts";
import { type CaseFile, readCases, TEST_FILE, type TestedConnection } from "../policy/cases.ts";
import type { Explanation } from "../policy/explanation.ts";
import { loadPolicy, type Policy, type PolicyFile } from "../policy/load.ts";
import { PolicyError, type Problem } from "../policy/problem.ts";
import { type Analyse, NOWHERE, runCases } from "../policy/trial.ts";
import { protocols } from "../protocols/index.ts";
import {
  type Configuration,
  compilePolicy,
  isRuleFile,
  loadSettings,
  readPolicyFolder,
  usualSettingsFile,
} from "./configuration.ts";
import { explainedGrant, ungranted } from "./explained-grants.ts";

const CATALOGUE = protocols.flatMap(({ actions }) => actions);

/** Throws CONNECTION_UNKNOWN, PROTOCOL_WITHOUT_TEXTS, POLICY_INVALID. */
export function explainTyped(
  { agent: agentName, connection: name, text, user = "", executable = "", atMs }: ExplainRequest,
  { policy, connections, settings }: Pick<Configuration, "policy" | "connections" | "settings">,
  nowMs: number,
  given?: readonly Holding[],
): Explanation {
  const connection = connections.find((one) => one.name === name);
  if (connection === undefined) {
    const known = connections.map((one) => one.name).join(", ");
    const message = `Cannot find the connection ${name}`;
    throw new UserError("CONNECTION_UNKNOWN", message, known === "" ? "Add one first" : `There are: ${known}`);
  }
  const asked = textsOf(text, connection);
  if (asked === undefined) {
    const message = `Cannot explain a text on ${name}: its protocol, ${connection.protocol}, has none`;
    throw new UserError("PROTOCOL_WITHOUT_TEXTS", message, "Name another connection, or a recorded entry");
  }
  const { groups = [], claims = {} } = settings.agents.find((one) => one.name === agentName) ?? {};
  const agent = { slot: 0, name: agentName, groups, claims };
  const time = atMs ?? nowMs;
  const subject = {
    ...{ sessionId: "explained", connection, agent },
    ...{ origin: { ...NOWHERE, user, executable }, clock: { nowMs: () => time } },
  };
  const grant = explainedGrant(settings, given, { agent, connection: name, atMs: time });
  return { ...policy.explain(subject, asked), ...(grant === undefined ? {} : { grant }) };
}

/** The same without a daemon, with what the settings name. */
export async function explainOffline(
  request: ExplainRequest,
  settingsFile = usualSettingsFile(),
): Promise<Explanation> {
  await prepared();
  const { settings, connections } = loadSettings(settingsFile, []);
  const files = settings.policies === undefined ? [] : readPolicyFolder(settings.policies);
  return explainTyped(request, { policy: compilePolicy(files, connections), connections, settings }, Date.now());
}

/**
 * Runs test files, or those in folders; without paths, those beside the policy that the settings name. Throws
 * FILE_UNREADABLE, POLICY_INVALID (also of a test file), POLICY_TESTS_NONE.
 */
export async function testPolicies(paths: readonly string[], settingsFile?: string): Promise<PolicyTestResult> {
  await prepared();
  const files = (paths.length === 0 ? [usualFolder(settingsFile)] : paths).flatMap(testFilesAt);
  if (files.length === 0) {
    const message = "Cannot find a test of a policy";
    throw new UserError(
      "POLICY_TESTS_NONE",
      message,
      "Name *.test.yaml files or their folder; docs/policy.md shows one",
    );
  }
  const results: PolicyTestResult["results"][number][] = [];
  // what named test files are about need not be what this host's settings are about
  const settings =
    paths.length > 0 && settingsFile === undefined ? undefined : loadSettings(settingsFile ?? usualSettingsFile(), []);
  const lacking = new Map<string, PolicyTestResult["ungranted"][number]>();
  const coverage = new Map<string, { rule: string; file: string; line: number; cases: number }>();
  for (const file of files) {
    const cases = readTestFile(file);
    const policy = policyFor(cases, file);
    const trial = runCases(policy, CATALOGUE, cases, analyse);
    results.push(...trial.results);
    for (const pair of settings === undefined ? [] : ungranted(cases, settings.settings))
      lacking.set(JSON.stringify(pair), pair);
    for (const { name: rule, file: own, line } of policy.rules) {
      const key = `${own} ${rule}`;
      const before = coverage.get(key)?.cases ?? 0;
      coverage.set(key, { rule, file: own, line, cases: before + (trial.coverage.get(rule) ?? 0) });
    }
  }
  return { results, coverage: [...coverage.values()], ungranted: [...lacking.values()] };
}

function usualFolder(settingsFile = usualSettingsFile()): string {
  const folder = loadSettings(settingsFile, []).settings.policies;
  if (folder !== undefined) return folder;
  throw new UserError("POLICY_TESTS_NONE", "Cannot find a policy: the settings name none", "Name *.test.yaml files");
}

function testFilesAt(path: string): readonly string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path).filter((name) => TEST_FILE.test(name));
    return names.sort().map((name) => join(path, name));
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function readTestFile(file: string): CaseFile {
  const problems: Problem[] = [];
  const cases = readCases(file, readText(file), problems);
  if (problems.length > 0) throw new PolicyError(problems);
  return cases;
}

/** The rule files that a test file names; else the one of its name; else all of its folder. */
function policyFor(cases: CaseFile, file: string): Policy {
  const folder = dirname(file);
  const twin = join(folder, basename(file).replace(TEST_FILE, ".yaml"));
  const named = cases.policies?.map((name) => join(folder, name));
  const paths =
    named ??
    (existsSync(twin)
      ? [twin]
      : readdirSync(folder)
          .filter(isRuleFile)
          .sort()
          .map((name) => join(folder, name)));
  const files: PolicyFile[] = paths.map((path) => ({ name: path, text: readText(path) }));
  const own = cases.actions.filter(({ name }) => !CATALOGUE.some((action) => action.name === name));
  const tables = [...cases.connections.values()].flatMap(({ data }) => Object.values(data));
  const labels = tables.flatMap(({ labels: own, columns }) => [...own, ...Object.values(columns).flat()]);
  const connections = [...cases.connections.keys()];
  return loadPolicy(files, [...CATALOGUE, ...own], { labels, detectors: DETECTOR_NAMES, connections });
}

const analyse: Analyse = (text, connection) => textsOf(text, connection);

function textsOf(text: string, { name, protocol, labels, data }: TestedConnection) {
  const found = protocols.find((one) => one.name === protocol);
  return found?.askedBy?.(text, { name, protocol, labels, data, addresses: [], tls: { mode: "disable" } });
}

let preparing: Promise<unknown> | undefined;

/** Grammars take a moment to load, and stay. */
function prepared(): Promise<unknown> {
  preparing ??= Promise.all(protocols.map((protocol) => protocol.prepare()));
  return preparing;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): UserError {
  const message = `Cannot read ${path}: ${codeOf(cause)}`;
  return new UserError("FILE_UNREADABLE", message, "Check the path, its owner and its mode", { cause });
}
