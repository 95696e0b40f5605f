/** Which file makes which command: a line on the shell loads that one alone, which is most of its time. */
import type { Command } from "commander";
import type { OpenShell } from "./world.ts";

type Add = (program: Command, open: OpenShell) => void;

export interface Group {
  /** The commands that it adds, right below `sallyport`. */
  readonly words: readonly string[];
  readonly load: () => Promise<Add>;
}

/** In the order of the help. */
export const GROUPS: readonly Group[] = [
  {
    words: ["up", "down", "reload", "status", "metrics", "doctor"],
    load: async () => (await import("./commands/daemon.ts")).addDaemonCommands,
  },
  { words: ["run"], load: async () => (await import("./commands/run.ts")).addRunCommand },
  {
    words: ["agents", "tag", "untag", "quarantine", "release", "observe"],
    load: async () => (await import("./commands/agents.ts")).addAgentCommands,
  },
  { words: ["approvals"], load: async () => (await import("./commands/approvals.ts")).addApprovalCommands },
  { words: ["grants"], load: async () => (await import("./commands/grants.ts")).addGrantCommands },
  { words: ["notify"], load: async () => (await import("./commands/notify.ts")).addNotifyCommands },
  { words: ["login", "logout", "whoami"], load: async () => (await import("./commands/login.ts")).addLoginCommands },
  {
    words: ["humans", "tokens", "break-glass"],
    load: async () => (await import("./commands/humans.ts")).addHumanCommands,
  },
  { words: ["connections"], load: async () => (await import("./commands/connections.ts")).addConnectionCommands },
  { words: ["sessions"], load: async () => (await import("./commands/sessions.ts")).addSessionCommands },
  { words: ["search"], load: async () => (await import("./commands/search.ts")).addSearchCommand },
  { words: ["events"], load: async () => (await import("./commands/events.ts")).addEventCommands },
  { words: ["audit"], load: async () => (await import("./commands/evidence.ts")).addAuditCommands },
  { words: ["policy"], load: async () => (await import("./commands/policy.ts")).addPolicyCommands },
  { words: ["trust"], load: async () => (await import("./commands/trust.ts")).addTrustCommands },
  { words: ["api"], load: async () => (await import("./commands/api.ts")).addApiCommand },
  { words: ["hooks"], load: async () => (await import("./commands/hooks.ts")).addHooksCommands },
  { words: ["service"], load: async () => (await import("./commands/service.ts")).addServiceCommands },
  { words: ["completion", "man"], load: async () => (await import("./commands/manual.ts")).addManualCommands },
];

/** These tell of all commands. */
const TELLING: ReadonlySet<string> = new Set(["completion", "man"]);
/** Global options that take the next word. */
const TAKING: ReadonlySet<string> = new Set(["--run", "--url", "--ca"]);

/** Those that a line needs; all of them where that is not plain (help, a word that is none). */
export function groupsFor(argv: readonly string[]): readonly Group[] {
  let at = 0;
  while (argv[at]?.startsWith("-") === true) at += TAKING.has(argv[at] ?? "") ? 2 : 1;
  const word = argv[at] ?? "";
  const found = TELLING.has(word) ? undefined : GROUPS.find(({ words }) => words.includes(word));
  return found === undefined ? GROUPS : [found];
}
