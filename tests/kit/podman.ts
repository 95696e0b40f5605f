/**
 * Real containers by podman and runc, in storage, hooks and a network of the test's own, so that the machine's settings
 * stay alone. The image is nearly empty: the machine's /usr is mounted into each container. All gone after `stop`.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { capture, type Outcome } from "./daemon.ts";

/** TESTING.md: with these, runc starts where CAP_SYS_RESOURCE is missing. */
const LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"];
export const IMAGE = "localhost/sallyport-test:1";
const FIRST = fileURLToPath(new URL("clients/first.c", import.meta.url));

export interface RunOptions {
  readonly name?: string;
  readonly labels?: readonly string[];
  readonly image?: string;
  /** "own" is the test's bridge. */
  readonly network?: "own" | "none" | "host";
  readonly more?: readonly string[];
  /** Without the folder of hooks. */
  readonly hooks?: "none";
}

export class Podman {
  readonly folder = mkdtempSync(join(tmpdir(), "sallyport-podman-"));
  readonly hooksFolder = join(this.folder, "hooks.d");
  /** storage.conf(5) of this podman, for CONTAINERS_STORAGE_CONF. */
  readonly storageSettings = join(this.folder, "storage.conf");
  /** Of this host, on its loopback interface, as containers reach it through their bridge. */
  readonly address: string;
  /** The name of the network, of its bridge, and of nothing else on this machine. */
  readonly #network: string;
  readonly #subnet: string;
  readonly #subnet6: string;

  private constructor(number: number) {
    this.address = `198.18.${number}.1`; // RFC 2544: no real host has it
    this.#subnet = `198.19.${number}.0/24`;
    this.#subnet6 = `fd5a:12:${number.toString(16)}::/64`;
    this.#network = `sptest${number}`;
  }

  static async start(): Promise<Podman> {
    const podman = new Podman(process.pid % 250);
    process.once("exit", podman.#abandon);
    try {
      await podman.#prepare();
    } catch (error) {
      await podman.stop();
      throw error;
    }
    return podman;
  }

  /** Runs `argv` as a container's first program, to its end. */
  run(options: RunOptions, argv: readonly string[]): Promise<Outcome> {
    return this.podman(this.#runWords(["--rm"], options, argv), options.hooks);
  }

  /** A container that stays until it is removed. Returns its id. */
  async keep(options: RunOptions, argv: readonly string[] = ["/usr/bin/sleep", "600"]): Promise<string> {
    const { code, stdout, stderr } = await this.podman(this.#runWords(["--detach"], options, argv), options.hooks);
    if (code !== 0) throw new Error(`podman run ended with ${code}: ${stderr}`);
    return stdout.trim();
  }

  /** As `run`, but its streams are the caller's. */
  spawn(options: RunOptions, argv: readonly string[]): ChildProcess {
    const words = [...this.#words(options.hooks), ...this.#runWords(["--rm", "-i"], options, argv)];
    return spawn("podman", words, { env: environment() });
  }

  podman(args: readonly string[], hooks?: "none"): Promise<Outcome> {
    return capture("podman", [...this.#words(hooks), ...args], { env: environment() });
  }

  async remove(...names: readonly string[]): Promise<void> {
    await this.podman(["rm", "--force", "--time", "0", ...names]);
  }

  /** A test process that ends without `stop` leaves no container, bridge or address. */
  readonly #abandon = (): void => {
    const run = (file: string, ...args: readonly string[]) =>
      spawnSync(file, args, { stdio: "ignore", timeout: 20_000 });
    run("podman", ...this.#words(), "rm", "--force", "--all", "--time", "0");
    run("ip", "address", "del", `${this.address}/32`, "dev", "lo");
    run("ip", "link", "del", this.#network);
    run("umount", join(this.folder, "storage/overlay"));
    rmSync(this.folder, { recursive: true, force: true });
  };

  async stop(): Promise<void> {
    process.off("exit", this.#abandon);
    await this.podman(["rm", "--force", "--all", "--time", "0"]);
    await capture("ip", ["address", "del", `${this.address}/32`, "dev", "lo"]);
    await capture("ip", ["link", "del", this.#network]);
    await capture("umount", [join(this.folder, "storage/overlay")]); // podman binds it onto itself
    rmSync(this.folder, { recursive: true, force: true });
  }

  #words(hooks?: "none"): readonly string[] {
    const at = (name: string) => join(this.folder, name);
    return [
      ...["--root", at("storage"), "--runroot", at("run"), "--tmpdir", at("tmp")],
      ...["--network-config-dir", at("networks"), "--runtime", "runc", "--cgroup-manager", "cgroupfs"],
      ...["--hooks-dir", hooks === "none" ? at("no-hooks") : this.hooksFolder],
    ];
  }

  #runWords(how: readonly string[], options: RunOptions, argv: readonly string[]): readonly string[] {
    const { name, labels = [], image = IMAGE, network = "own", more = [] } = options;
    return [
      ...["run", ...how, ...LIMITS, "--volume", "/usr:/usr:ro", "--volume", `${this.folder}/first:/first:ro`],
      ...["--network", network === "own" ? this.#network : network],
      ...(name === undefined ? [] : ["--name", name]),
      ...labels.flatMap((label) => ["--label", label]),
      ...[...more, image, ...argv],
    ];
  }

  async #prepare(): Promise<void> {
    for (const name of ["hooks.d", "no-hooks", "networks", "image/etc"])
      mkdirSync(join(this.folder, name), { recursive: true });
    const [graph, run] = ["storage", "run"].map((name) => join(this.folder, name));
    writeFileSync(this.storageSettings, `[storage]\ndriver = "overlay"\ngraphroot = "${graph}"\nrunroot = "${run}"\n`);
    const tree = join(this.folder, "image");
    for (const name of ["proc", "sys", "dev", "tmp", "run", "usr"]) mkdirSync(join(tree, name));
    for (const name of ["bin", "sbin", "lib", "lib64"].filter((name) => existsSync(`/usr/${name}`))) {
      symlinkSync(`usr/${name}`, join(tree, name));
    }
    writeFileSync(join(tree, "etc/passwd"), "root:x:0:0::/:/bin/sh\n");
    await must("tar", ["--create", "--file", join(this.folder, "image.tar"), "--directory", tree, "."]);
    await must("cc", ["-O2", "-static", "-o", join(this.folder, "first"), FIRST]);
    await must("ip", ["address", "replace", `${this.address}/32`, "dev", "lo"]);
    writeFileSync(join(this.folder, "networks", `${this.#network}.conflist`), this.#networkText());
    const imported = await this.podman(["import", join(this.folder, "image.tar"), IMAGE]);
    if (imported.code !== 0) throw new Error(`podman import ended with ${imported.code}: ${imported.stderr}`);
  }

  /** A bridge and addresses, no firewall rules: nothing outside of the folder but the bridge itself. */
  #networkText(): string {
    const ranges = [[{ subnet: this.#subnet }], [{ subnet: this.#subnet6 }]];
    const routes = [{ dst: "0.0.0.0/0" }, { dst: "::/0" }];
    const ipam = { type: "host-local", dataDir: join(this.folder, "addresses"), ranges, routes };
    const bridge = { type: "bridge", bridge: this.#network, isGateway: true, hairpinMode: true, ipam };
    return JSON.stringify({ cniVersion: "0.4.0", name: this.#network, plugins: [bridge] });
  }
}

/** Podman itself has flags for it: with both, this version waits 20 s for a container's end. */
function environment(): NodeJS.ProcessEnv {
  const { CONTAINERS_STORAGE_CONF: _, ...rest } = process.env;
  return rest;
}

async function must(file: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await capture(file, args);
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${stderr}`);
}
