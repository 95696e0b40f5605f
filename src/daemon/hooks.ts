/**
 * What a runtime's hook says of a container, and what is left for it while no daemon answers: a program in the state
 * folder that only decides, by the matchers that were in force. Tags nothing.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../base/errors.ts";
import { type OciState, placeOfState, whyNotGuarded } from "../containers/oci.ts";
import type { Found } from "../identity/automatic.ts";
import { hasContainerMatchers, type Matching } from "../identity/matchers.ts";
import { cgroupOf, processesOf } from "../kernel/cgroups.ts";

/** What `leaveUndecided` makes in the state folder; the hook's settings name the first. */
export const UNDECIDED_FILES = ["undecided", "undecided.json"] as const;

/** Where the container is, and whether it could be guarded: one that need not be starts anyhow. Throws CONTAINER_GONE. */
export function foundOf(state: OciState, cgroupRoot: string): Found {
  const cgroup = cgroupOf(state.pid);
  if (cgroup === undefined) {
    throw new UserError("CONTAINER_GONE", `Cannot guard container ${state.id}: its process ended`, "Start it again");
  }
  const place = placeOfState(state, cgroup);
  const cannot = whyNotGuarded(state, place, processesOf(join(cgroupRoot, cgroup)));
  return { place, bundle: state.bundle, ...(cannot === undefined ? {} : { cannot }) };
}

/** Root's alone, replaced as a whole; without matchers of containers there is nothing to decide, and no file. */
export function leaveUndecided(stateDir: string, cgroupRoot: string, settings: readonly Matching[]): void {
  const [program, matchers] = UNDECIDED_FILES.map((name) => join(stateDir, name)) as [string, string];
  if (!hasContainerMatchers(settings)) {
    for (const file of [program, matchers]) rmSync(file, { force: true });
    return;
  }
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const agents = settings.map(({ name, match }) => ({ name, match: match.filter(({ kind }) => kind === "container") }));
  replace(matchers, JSON.stringify({ cgroupRoot, agents }), 0o600);
  const script = fileURLToPath(new URL("undecided.ts", import.meta.url));
  const words = [process.execPath, "--disable-warning=ExperimentalWarning", script, matchers].map(quoted);
  replace(program, `#!/bin/sh\nexec ${words.join(" ")}\n`, 0o700);
}

function replace(file: string, text: string, mode: number): void {
  writeFileSync(`${file}.new`, text, { mode });
  renameSync(`${file}.new`, file);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
