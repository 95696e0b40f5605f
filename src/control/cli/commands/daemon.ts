/** up, down, reload, status, doctor: the daemon's life. */
import { connect } from "node:net";
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { UserError } from "../../../base/errors.ts";
import { createLog } from "../../../base/log.ts";
import type { DaemonStatus, DoctorReport, ReloadResult, ShutdownResult } from "../../ports.ts";
import { isServiceInstalled, removeService } from "../../service/installation.ts";
import { count, duration, moment, printable, table } from "../show.ts";
import { Exit, type OpenShell, RUN_DIR, type Shell, STATE_DIR } from "../world.ts";
import { stateWords } from "./agents.ts";

export function addDaemonCommands(program: Command, open: OpenShell): void {
  program
    .command("up")
    .description("start the daemon in the foreground")
    .option("--config <file>", "settings; /etc/sallyport/sallyport.yaml where it exists")
    .addOption(stateOption())
    .option("--port <number>", "the listener's port, before what the settings say", readPort)
    .addHelpText(
      "after",
      "\nExamples:\n  sudo sallyport up\n  sudo bin/sallyport up --state ./state --run ./run --config mine.yaml",
    )
    .action((options: UpOptions, command: Command) => up(open(command), options));
  program
    .command("down")
    .description("stop the daemon in order; agents stay guarded: their connections are refused")
    .option("--remove", "leave nothing behind: links, maps, cgroups, CA, state")
    .addOption(stateOption())
    .addHelpText("after", "\nExamples:\n  sudo sallyport down\n  sudo sallyport down --remove")
    .action((options: { remove?: boolean; state: string }, command: Command) => down(open(command), options));
  program
    .command("reload")
    .description("read settings and policy again; what is wrong leaves the running ones in place")
    .addHelpText("after", "\nExample:\n  sudo sallyport reload")
    .action((_options: object, command: Command) => reload(open(command)));
  program
    .command("status")
    .description("what the daemon is doing")
    .addHelpText("after", "\nExample:\n  sallyport status --json")
    .action((_options: object, command: Command) => status(open(command)));
  program
    .command("metrics")
    .description("what the daemon counts and times, in the Prometheus text format")
    .addHelpText("after", "\nExample:\n  sallyport metrics | grep sallyport_decisions_total")
    .action((_options: object, command: Command) => metrics(open(command)));
  program
    .command("doctor")
    .description("check kernel, cgroups and privileges, each with a remedy; works without a daemon")
    .addOption(stateOption())
    .addHelpText("after", "\nExample:\n  sudo sallyport doctor")
    .action((options: { state: string }, command: Command) => doctor(open(command), options.state));
}

interface UpOptions {
  readonly config?: string;
  readonly state: string;
  readonly port?: number;
}

async function up(shell: Shell, options: UpOptions): Promise<void> {
  const { startDaemon } = await shell.world.loadDaemon();
  const log = createLog((line) => shell.warn(line));
  const daemon = await startDaemon({
    ...(options.config === undefined ? {} : { configFile: resolve(options.config) }), // others are told of it
    ...(options.port === undefined ? {} : { port: options.port }),
    stateDir: options.state,
    runDir: shell.runDir,
    log,
  });
  const stop = () => void daemon.stop().catch((error: unknown) => log.error("stop failed", { error: String(error) }));
  const reloadNow = () =>
    void daemon.reload().catch((error: unknown) => log.error("reload failed", { error: String(error) }));
  process.on("SIGTERM", stop).on("SIGINT", stop).on("SIGHUP", reloadNow);
  try {
    await daemon.stopped;
  } finally {
    process.off("SIGTERM", stop).off("SIGINT", stop).off("SIGHUP", reloadNow);
  }
}

async function down(shell: Shell, { remove = false, state }: { remove?: boolean; state: string }): Promise<void> {
  const { removed } = await shutdown(shell, remove, state);
  if (shell.json) shell.say(JSON.stringify({ removed }));
  else for (const thing of removed) shell.say(`removed ${printable(thing)}`);
}

async function shutdown(shell: Shell, remove: boolean, stateDir: string): Promise<ShutdownResult> {
  if (remove && shell.runDir === RUN_DIR && isServiceInstalled()) {
    const { removeEverything } = await shell.world.loadDaemon(); // the service could not take itself away
    const everything = () => removeEverything({ stateDir, runDir: shell.runDir });
    return { removed: await removeService(everything, "kept") };
  }
  try {
    // The socket is held open beside the request: it ends when the daemon does, not when it answers.
    const { ended, leave } = endOfPeer(shell.api.socketPath);
    const result = await shell.api.post<ShutdownResult>("/v1/shutdown", { remove }).catch((error: unknown) => {
      leave(); // whoever is refused has nothing to wait for
      throw error;
    });
    await ended;
    return result;
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "DAEMON_UNREACHABLE" || !remove) throw error;
    const { removeEverything } = await shell.world.loadDaemon();
    return { removed: await removeEverything({ stateDir, runDir: shell.runDir }) };
  }
}

function endOfPeer(socketPath: string): { readonly ended: Promise<void>; leave(): void } {
  const socket = connect(socketPath);
  const ended = new Promise<void>((resolve) => {
    socket.on("error", () => resolve());
    socket.resume().on("close", () => resolve());
  });
  return { ended, leave: () => socket.destroy() };
}

async function reload(shell: Shell): Promise<void> {
  const result = await shell.api.post<ReloadResult>("/v1/settings/reload", {});
  if (shell.json) return shell.say(JSON.stringify(result));
  const { connections, agents, policy } = result;
  shell.say(
    [
      `settings: ${count(connections, "connection")}, ${count(agents, "agent")}`,
      `policy ${policy.hash.slice(0, 12)}: ${count(policy.rules, "rule")}`,
    ].join(" · "),
  );
}

async function status(shell: Shell): Promise<void> {
  const now = await shell.api.get<DaemonStatus>("/v1/status");
  if (shell.json) return shell.say(JSON.stringify(now));
  const rows: readonly (readonly [string, string])[] = [
    ["version", now.version],
    ["process", `${now.pid}, up since ${moment(now.startedMs)} (${duration(Date.now() - now.startedMs)})`],
    ["settings", now.settingsFile ?? "defaults"],
    ["state", now.stateDir],
    ["listener", `port ${now.listenerPort}`],
    ["policy", `${now.policy.hash.slice(0, 12)}, ${now.policy.rules} rules, loaded ${moment(now.policy.loadedMs)}`],
    ["agents", String(now.agents)],
    ["connections", String(now.connections)],
    ["open sessions", String(now.openSessions)],
    ["held", `${count(now.waiting, "action")} waiting for approval`],
    ...now.states.map((state) => ["agent", `${state.agent} is ${stateWords(state)}`] as const),
    ...Object.entries(now.counters).map(([name, value]) => [name, String(value)] as const),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) shell.say(`${shell.colours.dim(name.padEnd(width))}  ${printable(value)}`);
}

/** With --json the text as one string: the format is Prometheus's own. */
async function metrics(shell: Shell): Promise<void> {
  const text = await shell.api.text("/v1/metrics");
  if (shell.json) shell.say(JSON.stringify({ text }));
  else shell.world.stdout.write(text);
}

async function doctor(shell: Shell, stateDir: string): Promise<void> {
  const report = await examine(shell, stateDir);
  if (shell.json) {
    shell.say(JSON.stringify(report));
  } else {
    const { colours } = shell;
    const tint = { ok: colours.green, warning: colours.yellow, failed: colours.red };
    shell.say(
      table(
        report.checks,
        [
          { title: "CHECK", cell: ({ name }) => name },
          { title: "VERDICT", cell: ({ verdict }) => verdict },
          { title: "FOUND", cell: ({ found }) => found },
        ],
        colours,
      ),
    );
    for (const { name, verdict, remedy } of report.checks) {
      if (verdict !== "ok") shell.say(`${tint[verdict](verdict)} ${printable(name)}: ${printable(remedy)}`);
    }
  }
  if (report.checks.some(({ verdict }) => verdict === "failed")) throw new Exit(1);
}

/** The daemon sees what it runs with; without one this process looks for itself. */
async function examine(shell: Shell, stateDir: string): Promise<DoctorReport> {
  try {
    return await shell.api.get<DoctorReport>("/v1/doctor");
  } catch (error) {
    if (!(error instanceof UserError) || (error.exitCode !== 3 && error.exitCode !== 4)) throw error;
    const { doctorReport } = await shell.world.loadDaemon();
    return doctorReport({ stateDir, runDir: shell.runDir });
  }
}

function stateOption(): Option {
  return new Option("--state <dir>", "folder of the daemon's state (SALLYPORT_STATE_DIR)")
    .env("SALLYPORT_STATE_DIR")
    .default(STATE_DIR);
}

function readPort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new InvalidArgumentError("It must be a port between 1 and 65535.");
  return port;
}
