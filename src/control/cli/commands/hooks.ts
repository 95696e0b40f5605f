/** hooks: how container runtimes ask the daemon before a container's first instruction. Works without a daemon. */
import { join, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { UserError } from "../../../base/errors.ts";
import {
  type HookedRuntime,
  hooksStatus,
  installHooks,
  LIBRARY,
  removeHooks,
} from "../../../containers/installation.ts";
import { printable, table } from "../show.ts";
import { type OpenShell, type Shell, STATE_DIR } from "../world.ts";

interface PlaceOptions {
  readonly library: string;
  readonly hooksFolder?: string;
  readonly dockerSettings?: string;
}

interface InstallOptions extends PlaceOptions {
  readonly runtime?: readonly HookedRuntime[];
  readonly defaultRuntime?: true;
  readonly realRuntime: string;
  readonly state?: string;
}

const ABOUT = `
Without a hook, a container is noticed some milliseconds after it started, and runs unguarded until then.
With it, the runtime asks the daemon while the container's program does not run yet; a container that the
settings make an agent does not start while the daemon is down, others do.

podman, crio   a file sallyport.json in the runtime's hooks folder names the program (oci-hooks(5))
docker         has no hooks: daemon.json gets a runtime "sallyport", which is runc with the question asked;
               use it with --runtime=sallyport, or for all containers by --default-runtime
The program is copied to ${LIBRARY}, so that containers start whatever becomes of a checkout.`;

export function addHooksCommands(program: Command, open: OpenShell): void {
  const hooks = program.command("hooks").description("let container runtimes ask before a container starts");
  hooks.addHelpText("after", `${ABOUT}\n\nExamples:\n  sudo sallyport hooks install\n  sallyport hooks status`);
  withPlaces(hooks.command("install"))
    .description("put the hook into the container runtimes of this host")
    .option("--runtime <name...>", "podman, crio or docker; else all that are found", readRuntime)
    .option("--default-runtime", "Docker: for every container that names no other runtime")
    .option("--real-runtime <file>", "Docker: the runtime to stand for", "/usr/bin/runc")
    .option("--state <dir>", "folder of the daemon's state (SALLYPORT_STATE_DIR)")
    .addHelpText("after", `${ABOUT}\n\nExample:\n  sudo sallyport hooks install --runtime podman`)
    .action((options: InstallOptions, command: Command) => install(open(command), options));
  withPlaces(hooks.command("remove"))
    .description("take the hook out of all container runtimes again")
    .addHelpText("after", "\nExample:\n  sudo sallyport hooks remove")
    .action((options: PlaceOptions, command: Command) => {
      const shell = open(command);
      const removed = removeHooks(resolve(options.library));
      if (shell.json) return shell.say(JSON.stringify({ removed }));
      for (const file of removed) shell.say(`removed ${printable(file)}`);
      if (removed.length === 0) shell.say("no hook is installed");
    });
  withPlaces(hooks.command("status"))
    .description("show which container runtimes have the hook")
    .addHelpText("after", "\nExample:\n  sallyport hooks status --json")
    .action((options: PlaceOptions, command: Command) => status(open(command), options));
}

function install(shell: Shell, options: InstallOptions): void {
  const places = placesOf(options);
  const found = hooksStatus(places).filter(({ present }) => present);
  const runtimes = options.runtime ?? found.map(({ runtime }) => runtime);
  if (runtimes.length === 0) {
    const message = "Cannot install a hook: neither podman, CRI-O nor Docker is on this host";
    throw new UserError("HOOK_NO_RUNTIME", message, "Name one all the same: --runtime podman");
  }
  const files = installHooks({
    ...places,
    runtimes,
    docker: options.defaultRuntime === true ? "default" : "by-name",
    socketPath: resolve(join(shell.runDir, "api.sock")),
    stateDir: resolve(options.state ?? shell.world.env["SALLYPORT_STATE_DIR"] ?? STATE_DIR),
    realRuntime: resolve(options.realRuntime),
  });
  if (shell.json) {
    shell.say(JSON.stringify({ runtimes, files }));
    return;
  }
  for (const file of files) shell.say(`wrote ${printable(file)}`);
  if (runtimes.includes("docker")) shell.say("Docker takes it up when it is told to: sudo systemctl reload docker");
}

function status(shell: Shell, options: PlaceOptions): void {
  const all = hooksStatus(placesOf(options));
  if (shell.json) {
    shell.say(JSON.stringify(all));
    return;
  }
  shell.say(
    table(
      all,
      [
        { title: "RUNTIME", cell: ({ runtime }) => runtime },
        { title: "ON THIS HOST", cell: ({ present }) => (present ? "yes" : "no") },
        {
          title: "HOOK",
          cell: ({ installed, problem }) => (!installed ? "missing" : problem === "" ? "installed" : "broken"),
        },
        { title: "FILE", cell: ({ file }) => file },
        { title: "PROBLEM", cell: ({ problem }) => problem },
      ],
      shell.colours,
    ),
  );
}

function withPlaces(command: Command): Command {
  return command
    .option("--library <dir>", "where the programs go", LIBRARY)
    .option("--hooks-folder <dir>", "instead of what podman's or CRI-O's settings name")
    .option("--docker-settings <file>", "instead of /etc/docker/daemon.json");
}

function placesOf({ library, hooksFolder, dockerSettings }: PlaceOptions) {
  return {
    library: resolve(library),
    ...(hooksFolder === undefined ? {} : { hooksFolder: resolve(hooksFolder) }),
    ...(dockerSettings === undefined ? {} : { dockerSettings: resolve(dockerSettings) }),
  };
}

function readRuntime(text: string, before: readonly HookedRuntime[] | undefined): readonly HookedRuntime[] {
  if (text !== "podman" && text !== "crio" && text !== "docker") {
    throw new InvalidArgumentError("It must be podman, crio or docker.");
  }
  return [...(before ?? []), text];
}
