/**
 * A virtual machine around this checkout: a kernel from Debian's package, and this machine's own root as its root,
 * read-only over 9p with a layer in memory on top, so that nothing has to be installed in it. Builds nothing of ours.
 */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const CACHE = join(ROOT, "build", "kernels");
/** The metapackage of Debian's newest kernel for this release; on Debian 12 that is a 6.1. */
const META = "linux-image-amd64";
/** In the order in which they need each other. */
const MODULES = [
  ...["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci"],
  ...["netfs", "fscache", "9pnet", "9pnet_virtio", "9p", "overlay"],
];
/** Without KVM a boot takes some 5 s and each Node start one; the slowest job is a hundred times that on a busy host. */
const LIMIT_S = 1_500;
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;

export interface Kernel {
  readonly version: string;
  readonly image: string;
  readonly modules: string;
}

export interface Step {
  readonly name: string;
  readonly ok: boolean;
}

/** Downloads and unpacks it once; later calls find it. Nothing is installed on this machine. */
export async function fetchKernel(): Promise<Kernel> {
  const depends = execFileSync("apt-cache", ["depends", META], { encoding: "utf8" });
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error(`Cannot find Debian's kernel: ${META} names none; is apt set up?`);
  const version = name.slice("linux-image-".length);
  const folder = join(CACHE, version);
  const image = join(folder, "boot", `vmlinuz-${version}`);
  if (!existsSync(image)) {
    const download = join(CACHE, "download");
    mkdirSync(download, { recursive: true });
    process.stdout.write(`fetching ${name} (70 MB)\n`);
    execFileSync("apt-get", ["download", name], { cwd: download, stdio: ["ignore", "ignore", "pipe"] });
    const file = readdirSync(download).find((entry) => entry.startsWith(`${name}_`));
    if (file === undefined) throw new Error(`Cannot fetch ${name}: apt-get left no file`);
    execFileSync("dpkg-deb", ["-x", join(download, file), folder]);
    rmSync(download, { recursive: true });
  }
  const modules = join(folder, "lib", "modules", version);
  if (!existsSync(join(modules, "modules.dep"))) execFileSync("depmod", ["-b", folder, version]); // for modprobe in a guest
  return { version, image, modules };
}

/** A few modules, busybox and tests/kernels/init: enough to mount the root and to go there. */
export async function packInitramfs({ version, modules }: Kernel): Promise<string> {
  const folder = join(CACHE, `initramfs-${version}`);
  rmSync(folder, { recursive: true, force: true });
  for (const part of ["bin", "modules", "proc", "dev", "mnt"]) mkdirSync(join(folder, part), { recursive: true });
  copyFileSync("/bin/busybox", join(folder, "bin", "busybox"));
  copyFileSync(join(import.meta.dirname, "init"), join(folder, "init"));
  chmodSync(join(folder, "init"), 0o755);
  const files = readdirSync(modules, { recursive: true, encoding: "utf8" });
  for (const module of MODULES) {
    const file = files.find((entry) => basename(entry) === `${module}.ko`);
    if (file === undefined) throw new Error(`Cannot pack the initramfs: kernel ${version} has no module ${module}`);
    copyFileSync(join(modules, file), join(folder, "modules", `${module}.ko`));
  }
  writeFileSync(join(folder, "modules", "order"), `${MODULES.join("\n")}\n`);
  const image = `${folder}.img`;
  execFileSync("sh", ["-c", `find . | cpio --quiet -o -H newc > "$1"`, "sh", image], { cwd: folder });
  return image;
}

/** Boots, runs one job of guest.sh and waits for the machine to switch itself off; past the limit it is ended. */
export async function boot(machine: {
  readonly kernel: Kernel;
  readonly initramfs: string;
  readonly job: string;
  readonly parameters: string;
}): Promise<{ steps: readonly Step[]; output: string; seconds: number }> {
  const started = Date.now();
  const words = ["console=ttyS0", "quiet", "panic=-1", `sallyport.root=${ROOT}`, `sallyport.job=${machine.job}`];
  const qemu = spawn(
    "qemu-system-x86_64",
    [
      ...["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "3072"],
      ...["-nographic", "-no-reboot", "-net", "none", "-kernel", machine.kernel.image, "-initrd", machine.initramfs],
      ...["-append", `${words.join(" ")} ${machine.parameters}`],
      ...["-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap"],
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const limit = setTimeout(() => qemu.kill("SIGKILL"), LIMIT_S * 1000);
  let output = "";
  const hear = (bytes: Buffer) => {
    if (output.length < OUTPUT_BYTES_MAX) output += bytes;
  };
  qemu.stdout.on("data", hear);
  qemu.stderr.on("data", hear);
  await new Promise<void>((resolve, reject) => qemu.once("close", () => resolve()).once("error", reject));
  clearTimeout(limit);
  const steps = [...output.matchAll(/^step (ok|failed): ([^\r\n]*)\r?$/gm)].map(([, verdict, name = ""]) => ({
    name,
    ok: verdict === "ok",
  }));
  return { steps, output, seconds: Math.round((Date.now() - started) / 1000) };
}
