/** service: Sallyport as a service of systemd. Works without a daemon; what is done lies in control/service/. */
import type { Command } from "commander";
import { installService, removeService, serviceStatus } from "../../service/installation.ts";
import { printable } from "../show.ts";
import { Exit, type OpenShell, type Shell, STATE_DIR } from "../world.ts";

export function addServiceCommands(program: Command, open: OpenShell): void {
  const service = program
    .command("service")
    .description("run Sallyport as a service of systemd, started at boot and again when it dies")
    .addHelpText("after", "\nExamples:\n  sudo sallyport service install\n  sallyport service status --json");
  service
    .command("install")
    .description("install and start the service; settings that exist stay as they are")
    .option("--no-start", "only at the next boot, or by: systemctl start sallyport.service")
    .addHelpText(
      "after",
      [
        "",
        "Installs sallyport.service and sallyport.socket, the launcher for ordinary users, the group `sallyport` and, where",
        "there are none, settings to begin with. Again, it brings these up to date and restarts the service: agents live on.",
        "\nExample:\n  sudo sallyport service install",
      ].join("\n"),
    )
    .action((options: { start: boolean }, command: Command) => install(open(command), options.start));
  service
    .command("remove")
    .description("stop the service and remove its files; agents stay guarded, settings and state are kept")
    .option("--purge", "remove settings, state, CA, kernel programs and the group as well; no agent may be alive")
    .addHelpText("after", "\nExamples:\n  sudo sallyport service remove\n  sudo sallyport service remove --purge")
    .action((options: { purge?: boolean }, command: Command) => remove(open(command), options.purge ?? false));
  service
    .command("status")
    .description("what systemd says of the service; ends with 1 when it does not run")
    .addHelpText("after", "\nExample:\n  sallyport service status")
    .action((_options: object, command: Command) => status(open(command)));
}

async function install(shell: Shell, start: boolean): Promise<void> {
  const result = await installService(start ? "now" : "not");
  if (shell.json) return shell.say(JSON.stringify(result));
  for (const path of result.installed) shell.say(`installed ${printable(path)}`);
  for (const warning of result.warnings) shell.warn(`${shell.colours.yellow("warning")}: ${printable(warning)}`);
  shell.say(
    result.started ? "the service runs, and will after every boot" : "the service will run after the next boot",
  );
}

async function remove(shell: Shell, purge: boolean): Promise<void> {
  const everything = async () => {
    const { removeEverything } = await shell.world.loadDaemon();
    return removeEverything({ stateDir: STATE_DIR, runDir: shell.runDir });
  };
  const removed = await removeService(purge ? everything : undefined);
  if (shell.json) return shell.say(JSON.stringify({ removed }));
  for (const thing of removed) shell.say(`removed ${printable(thing)}`);
  if (removed.length === 0) shell.say("nothing was installed");
}

async function status(shell: Shell): Promise<void> {
  const now = await serviceStatus();
  if (shell.json) shell.say(JSON.stringify(now));
  else {
    const rows: readonly (readonly [string, string])[] = [
      ["installed", now.installed ? "yes" : "no"],
      ["at boot", now.enabled],
      ["now", now.pid === undefined ? now.active : `${now.active}, process ${now.pid}`],
      ["says", now.status],
      ["restarts", String(now.restarts)],
      ["listeners held", String(now.held)],
    ];
    const width = Math.max(...rows.map(([name]) => name.length));
    for (const [name, value] of rows) shell.say(`${shell.colours.dim(name.padEnd(width))}  ${printable(value)}`);
  }
  if (now.active !== "active") throw new Exit(1);
}
