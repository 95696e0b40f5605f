/**
 * `npm run kernels`: the same checkout on other kernels, booted by QEMU without KVM; about three minutes. Needs the
 * Debian packages of the `kernels` goal of scripts/setup.mjs and takes the kernel from Debian. `--keep` prints what
 * the machines say. Last line: `N passed, N failed, N skipped`; exit code 1 if one failed.
 */
import { parseArgs } from "node:util";
import { boot, fetchKernel, packInitramfs } from "./machine.ts";

/** What runs in a guest is a function of the same name in guest.sh. */
const MACHINES = [
  { job: "floor", says: "Debian 12's kernel, the floor: loads, intercepts, refuses", parameters: "" },
  { job: "no-btf", says: "a kernel without BTF: `up` refuses and names it", parameters: "" },
  { job: "no-cgroup2", says: "no cgroup v2 hierarchy: `up` refuses and names it", parameters: "" },
  {
    job: "lockdown",
    says: "a kernel locked down for confidentiality: guards all the same",
    parameters: "lockdown=confidentiality",
  },
  { job: "no-ipv6", says: "a kernel with IPv6 switched off: guards what is left", parameters: "ipv6.disable=1" },
] as const;

const { values } = parseArgs({
  options: { keep: { type: "boolean", default: false }, only: { type: "string", multiple: true, default: [] } },
});
const chosen = MACHINES.filter(({ job }) => values.only.length === 0 || values.only.includes(job));
if (chosen.length === 0) {
  process.stderr.write(
    `Cannot find ${values.only.join(", ")}\nremedy: one of ${MACHINES.map(({ job }) => job).join(", ")}\n`,
  );
  process.exit(2);
}

let passed = 0;
let failed = 0;
const kernel = await fetchKernel();
const initramfs = await packInitramfs(kernel);
process.stdout.write(`kernel ${kernel.version}\n`);
for (const { job, says, parameters } of chosen) {
  process.stdout.write(`\n${says}\n`);
  const { steps, output, seconds } = await boot({ kernel, initramfs, job, parameters });
  for (const { name, ok } of steps) process.stdout.write(`  ${ok ? "ok    " : "FAILED"} ${name}\n`);
  const finished = steps.at(-1)?.name === "finished";
  if (!finished) process.stdout.write("  FAILED the machine did not come to its end\n");
  const bad = steps.filter(({ ok }) => !ok).length + (finished ? 0 : 1);
  passed += steps.length - steps.filter(({ ok }) => !ok).length;
  failed += bad;
  process.stdout.write(`  ${seconds} s\n`);
  if (bad > 0 || values.keep) process.stdout.write(`${output}\n`);
}
process.stdout.write(`\n${passed} passed, ${failed} failed, 0 skipped\n`);
process.exitCode = failed === 0 ? 0 : 1;
