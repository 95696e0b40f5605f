/** Two containers in one network namespace: one to be guarded, one for control runs. Podman's storage is the suite's own. */
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { capture, type Outcome } from "../kit/daemon.ts";
import { PYTHON } from "./observer.ts";

const IMAGE = "sallyport-bypass";
/** TESTING.md: the flags with which runc starts here. */
const FLAGS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"];
const LEFT_OUT = new Set(["test", "__pycache__", "dist-packages", "idlelib", "tkinter", "lib2to3"]);

export class Podman {
  readonly #storage: readonly string[];
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.#storage = [
      ...["--root", join(folder, "podman"), "--runroot", join(folder, "podman-run")],
      ...["--tmpdir", join(folder, "podman-tmp"), "--runtime", "runc", "--cgroup-manager", "cgroupfs"],
    ];
  }

  /** Undefined when it works; else why it does not. */
  async prepare(): Promise<string | undefined> {
    const found = await capture("podman", ["--version"]).catch(() => undefined);
    if (found === undefined) return "podman is not installed";
    const tree = await makeTree(join(this.#folder, "image"));
    const tar = join(this.#folder, "image.tar");
    await capture("tar", ["--create", "--file", tar, "--directory", tree, "."]);
    const { code, stderr } = await this.#podman(["import", tar, IMAGE]);
    return code === 0 ? undefined : `podman import: ${lastLine(stderr)}`;
  }

  /** Returns the v2 cgroup of the container; `mounts` are "from:to[:ro]". */
  async start(name: string, netnsPid: number, mounts: readonly string[]): Promise<string> {
    const volumes = mounts.flatMap((mount) => ["--volume", mount]);
    const network = ["--network", `ns:/proc/${netnsPid}/ns/net`];
    const { code, stderr } = await this.#podman([
      ...["run", "--detach", "--name", name, ...FLAGS, ...network, ...volumes, IMAGE],
      ...["/bin/sleep", "infinity"],
    ]);
    if (code !== 0) throw new Error(`podman run: ${lastLine(stderr)}`);
    const { stdout } = await this.#podman(["inspect", "--format", "{{.State.Pid}}", name]);
    const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${stdout.trim()}/cgroup`, "utf8"))?.[1];
    if (path === undefined) throw new Error(`Cannot find the cgroup of container ${name}`);
    return path;
  }

  /** What runs `argv` inside. */
  exec(name: string, argv: readonly string[]): readonly string[] {
    return ["podman", ...this.#storage, "exec", "--interactive", name, ...argv];
  }

  async remove(names: readonly string[]): Promise<void> {
    await this.#podman(["rm", "--force", "--time", "0", ...names]);
  }

  #podman(args: readonly string[]): Promise<Outcome> {
    return capture("podman", [...this.#storage, ...args]);
  }
}

/** The machine's own Python with its libraries, and busybox: enough for every attack. */
async function makeTree(tree: string): Promise<string> {
  for (const folder of ["bin", "dev", "etc", "proc", "run", "sys", "tmp", "usr/bin", "usr/lib", "var/tmp"]) {
    mkdirSync(join(tree, folder), { recursive: true });
  }
  const { stdout: version } = await capture(PYTHON, ["-c", "import sys; print('python%d.%d' % sys.version_info[:2])"]);
  const library = `/usr/lib/${version.trim()}`;
  copyFileSync(PYTHON, join(tree, PYTHON));
  cpSync(library, join(tree, library), { recursive: true, filter: (path) => !LEFT_OUT.has(basename(path)) });
  const modules = await capture("find", [
    `${library}/lib-dynload`,
    "(",
    "-name",
    "_ctypes*.so",
    "-o",
    "-name",
    "_ssl*.so",
    ")",
  ]);
  const { stdout: libraries } = await capture("ldd", [PYTHON, ...modules.stdout.trim().split("\n")]);
  for (const path of new Set(libraries.match(/\/\S+\.so\S*(?= |$)/gm) ?? [])) {
    if (!existsSync(path)) continue;
    mkdirSync(join(tree, dirname(path)), { recursive: true });
    copyFileSync(path, join(tree, path));
  }
  copyFileSync("/bin/busybox", join(tree, "bin/busybox"));
  for (const name of ["sh", "sleep"]) symlinkSync("busybox", join(tree, "bin", name));
  writeFileSync(join(tree, "etc/passwd"), "root:x:0:0::/:/bin/sh\n");
  return tree;
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
