/** The BPF file system, where the kernel keeps what must outlive the daemon. */
import { existsSync, statfsSync } from "node:fs";
import { asRoot, run, say } from "./run.mjs";

const BPFFS = "/sys/fs/bpf";
/** BPF_FS_MAGIC of linux/magic.h. */
const BPFFS_MAGIC = 0xcafe4a11;

/** Mounts it where it is missing. A kernel without BPF is left to `sallyport doctor` and to the tests' probe. */
export function mountBpffs() {
  if (!existsSync(BPFFS) || statfsSync(BPFFS).type === BPFFS_MAGIC) return;
  say(`mounting the BPF file system at ${BPFFS}`);
  const [command, args] = asRoot("mount", ["-t", "bpf", "bpf", BPFFS]);
  run("bpffs", command, args, { remedy: "the kernel needs CONFIG_BPF_SYSCALL, and root the right to mount" });
}
