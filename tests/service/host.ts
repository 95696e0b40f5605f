/**
 * A host with a systemd of its own: Debian in a systemd-nspawn container with the checkout at /opt/sallyport, read-only.
 * It shares the kernel and the host's cgroup tree (no cgroup namespace, so that the root that programs are attached to is
 * the real one), and has network, processes, mounts and bpffs of its own: when it goes, pins go with it.
 * What differs from a real host: its units lie below a cgroup that is no slice, and process ids are not the host's.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { capture, type Outcome } from "../kit/daemon.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
/** Made once, never changed afterwards: each container writes to an overlay in memory. */
const TREE = join(ROOT, "build", "hosts", "bookworm");
const PACKAGES = "systemd,systemd-sysv,dbus,iproute2,libbpf1,libelf1,libseccomp2,libstdc++6,libcap2-bin,procps";
const CGROUPS = "/sys/fs/cgroup/unified";
const BOOT_WAIT_MS = 60_000;
/** What the machine that runs the tests has set is of no meaning there. */
const ENVIRONMENT = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" };

export const HOME = "/opt/sallyport";
export const SALLYPORT = `${HOME}/bin/sallyport`;
export const NODE = `${HOME}/node_modules/.bin/node`;

export class BootedHost {
  /** The same folder inside, at the same path. */
  readonly shared: string;
  /** Of its cgroup below the root, as it sees it, too. */
  readonly name = `sallyport-host-${process.pid}`;
  readonly #cgroup: string;
  readonly #nspawn: ChildProcess;
  #leader = 0;
  console = "";

  private constructor() {
    this.shared = mkdtempSync(join(tmpdir(), "sallyport-host-"));
    const { name } = this;
    this.#cgroup = join(existsSync(CGROUPS) ? CGROUPS : "/sys/fs/cgroup", name);
    mkdirSync(this.#cgroup);
    const settings = [
      "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", // a cgroup v2 host, whatever ours is
      "SYSTEMD_NSPAWN_USE_CGNS=0", // its cgroup root is the real one
      "SYSTEMD_NSPAWN_API_VFS_WRITABLE=1", // /sys/fs/bpf
    ];
    const options = [`--directory=${TREE}`, `--machine=${name}`, "--volatile=overlay", "--register=no", "--keep-unit"];
    const powers = ["--private-network", "--capability=all", "--system-call-filter=bpf open_by_handle_at"];
    const binds = [`--bind-ro=${ROOT}:${HOME}:norbind`, `--bind=${this.shared}`];
    const command = ["systemd-nspawn", ...options, ...powers, ...binds, "--boot"];
    const enter = `echo $$ > ${this.#cgroup}/cgroup.procs && exec env ${settings.join(" ")} "$@"`;
    this.#nspawn = spawn("setpriv", ["--pdeathsig=KILL", "sh", "-c", enter, "sh", ...command], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const hear = (bytes: Buffer) => (this.console = (this.console + bytes).slice(-64 * 1024));
    this.#nspawn.stdout?.on("data", hear);
    this.#nspawn.stderr?.on("data", hear);
  }

  static async boot(): Promise<BootedHost> {
    makeTree();
    const host = new BootedHost();
    try {
      await host.#booted();
      return host;
    } catch (error) {
      await host.stop();
      throw error;
    }
  }

  /** A command of this host, as root in its namespaces; it starts outside of its units. Never rejects for an exit code. */
  does(argv: readonly string[], options: Parameters<typeof capture>[2] = {}): Promise<Outcome> {
    return capture("nsenter", this.enter(argv), { timeoutMs: 120_000, env: ENVIRONMENT, ...options });
  }

  /** The same, rejecting with its output when it fails; gives stdout. */
  async must(...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.does(argv);
    if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  async writes(path: string, text: string): Promise<void> {
    const { code, stderr } = await this.does(["tee", path], { input: text });
    if (code !== 0) throw new Error(`Cannot write ${path}: ${stderr}`);
  }

  /** A command that stays, for whoever wants to talk to it. */
  starts(argv: readonly string[]): ChildProcess {
    return spawn("nsenter", this.enter(argv), { stdio: ["pipe", "pipe", "inherit"], env: ENVIRONMENT });
  }

  /** Arguments of nsenter(1); without the network too, for a tool of ours that looks at this host's packets. */
  enter(argv: readonly string[]): string[] {
    return [`--target=${this.#leader}`, "--mount", "--uts", "--ipc", "--net", "--pid", "--", ...argv];
  }

  /** A tool of the machine that runs the tests, in a network namespace of this host. */
  watches(netns: string, argv: readonly string[]): ChildProcess {
    const path = `/proc/${this.#leader}/root/run/netns/${netns}`;
    return spawn("nsenter", [`--net=${path}`, "--", ...argv], { stdio: ["ignore", "pipe", "pipe"] });
  }

  /** What `look` gives once it is true; asked again and again. Rejects after `waitMs`. */
  async until<T>(what: string, look: () => Promise<T | undefined | false>, waitMs = 30_000): Promise<T> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > deadline) throw new Error(`Not within ${waitMs} ms: ${what}\n${await this.journal()}`);
      await wait(50);
    }
  }

  async stop(): Promise<void> {
    const ended =
      this.#nspawn.exitCode === null && this.#nspawn.signalCode === null ? once(this.#nspawn, "exit") : undefined;
    if (this.#leader > 0)
      await capture("nsenter", this.enter(["systemctl", "poweroff", "--force", "--force"])).catch(() => {});
    const late = setTimeout(() => this.#nspawn.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(late);
    rmSync(this.shared, { recursive: true, force: true });
    for (let round = 0; round < 100 && existsSync(this.#cgroup); round++) {
      removeTree(this.#cgroup);
      await wait(20); // processes that were killed leave their cgroups a moment later
    }
  }

  async #booted(): Promise<void> {
    await this.until("a first process", async () => {
      if (this.#nspawn.exitCode !== null) throw new Error(`systemd-nspawn ended: ${this.console}`);
      this.#leader = leaderBelow(this.#nspawn.pid ?? 0) ?? 0;
      return this.#leader > 0;
    });
    await this.until(
      "a booted system",
      async () => /running|degraded/.test((await this.does(["systemctl", "is-system-running"])).stdout),
      BOOT_WAIT_MS,
    );
    // A real host's systemd does this at boot; inside containers it leaves it to the manager of these.
    await this.must("mkdir", "/sys/fs/bpf");
    await this.must("mount", "-t", "bpf", "bpf", "/sys/fs/bpf");
  }

  /** Its last words, for whoever reads a failure. */
  async journal(): Promise<string> {
    if (this.#leader === 0) return this.console;
    const { stdout } = await this.does(["journalctl", "--no-pager", "--lines=60", "--output=short-monotonic"]);
    return stdout;
  }
}

/** Takes about a minute the first time. */
function makeTree(): void {
  if (existsSync(TREE)) return;
  const part = `${TREE}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(dirname(TREE), { recursive: true });
  execFileSync("debootstrap", ["--variant=minbase", `--include=${PACKAGES}`, "bookworm", part], {
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 600_000,
  });
  writeFileSync(join(part, "etc/hostname"), "guarded\n");
  mkdirSync(join(part, HOME), { recursive: true });
  renameSync(part, TREE); // only a whole one counts
}

/** The process that is number 1 inside. */
function leaderBelow(pid: number): number | undefined {
  for (const child of childrenOf(pid)) {
    const ids = /^NSpid:\t(.*)$/m.exec(readIfAny(`/proc/${child}/status`))?.[1]?.split("\t") ?? [];
    if (ids.length > 1 && ids.at(-1) === "1") return child;
    const below = leaderBelow(child);
    if (below !== undefined) return below;
  }
  return undefined;
}

function childrenOf(pid: number): number[] {
  return readIfAny(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
}

function readIfAny(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function removeTree(folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(join(folder, entry.name));
    }
    rmdirSync(folder);
  } catch {
    // still in use, or gone
  }
}
