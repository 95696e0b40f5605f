/**
 * Installs and builds what a goal needs: `node scripts/setup.mjs start|test|compare|bench|kernels|build|check`. Runs on Node 20
 * without any package. Each step looks first and does nothing when its work is done, so a second run takes
 * milliseconds. Two runs at once wait for each other. Exit code 1: a step failed; its remedy is on stderr.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { buildAddon } from "./setup/addon.mjs";
import { installPackages, TO_BOOT, TO_CHECK, TO_COMPARE, TO_RUN, TO_TEST } from "./setup/debian.mjs";
import { mountBpffs } from "./setup/mounts.mjs";
import { assertRuntime, installModules } from "./setup/npm.mjs";
import { BUILD, SetupError } from "./setup/run.mjs";

const GOALS = {
  start: { packages: TO_RUN, addon: true, mounts: true },
  test: { packages: TO_TEST, addon: true, mounts: true },
  compare: { packages: TO_COMPARE, addon: true, mounts: true },
  bench: { packages: TO_TEST, addon: true, mounts: true },
  kernels: { packages: TO_BOOT, addon: true, mounts: true },
  build: { packages: TO_RUN, addon: true, mounts: false },
  check: { packages: TO_CHECK, addon: false, mounts: false },
};
const LOCK_WAIT_S = 1800;
const LOCK_BUSY = 75;

function main(goal, locked) {
  if (!Object.hasOwn(GOALS, goal)) return usage();
  if (process.platform !== "linux") throw new SetupError(`Cannot set up on ${process.platform}`, "use Linux");
  if (Number(process.versions.node.split(".")[0]) < 20) {
    throw new SetupError(`Cannot set up with Node ${process.versions.node}`, "install Node 20 or newer");
  }
  if (!locked) return underLock(goal);
  const { packages, addon, mounts } = GOALS[goal];
  installPackages(packages);
  installModules();
  assertRuntime();
  if (addon) buildAddon();
  if (mounts) mountBpffs();
  return 0;
}

/** flock(1) is part of Debian's base: the kernel drops the lock however its holder ends. */
function underLock(goal) {
  mkdirSync(BUILD, { recursive: true });
  const lock = ["--close", "--wait", String(LOCK_WAIT_S), "--conflict-exit-code", String(LOCK_BUSY)];
  const self = [process.execPath, process.argv[1], goal, "--locked"];
  const { status, error } = spawnSync("flock", [...lock, join(BUILD, "setup.lock"), ...self], { stdio: "inherit" });
  if (error) throw new SetupError(`Cannot take the set-up's lock: ${error.message}`, "install util-linux");
  if (status === LOCK_BUSY) {
    throw new SetupError(`Cannot set up: another set-up has been running for ${LOCK_WAIT_S} s`, "end it, start again");
  }
  return status ?? 1;
}

function usage() {
  process.stderr.write(`usage: node scripts/setup.mjs ${Object.keys(GOALS).join("|")}\n`);
  return 2;
}

try {
  process.exitCode = main(process.argv[2], process.argv[3] === "--locked");
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`setup: ${error.message}\n${error.remedy === "" ? "" : `remedy: ${error.remedy}\n`}`);
  process.exitCode = 1;
}
