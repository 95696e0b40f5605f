/** The cgroup tree of this host, walked once and within bounds. Changes nothing. Source: cgroups(7). */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../base/errors.ts";
import { CGROUP_LEVELS_SEEN_MAX, CGROUPS_SEEN_MAX } from "../base/limits.ts";

/** v2 paths ("/a/b") of all cgroups below the root, parents first; `enter` says whether to look below one. */
export function walkCgroups(cgroupRoot: string, enter: (path: string) => boolean = () => true): readonly string[] {
  const found: string[] = [];
  const left = [{ path: "", level: 0 }];
  for (let next = left.shift(); next !== undefined && found.length < CGROUPS_SEEN_MAX; next = left.shift()) {
    for (const name of childrenOf(join(cgroupRoot, next.path))) {
      const path = `${next.path}/${name}`;
      found.push(path);
      if (next.level < CGROUP_LEVELS_SEEN_MAX && enter(path)) left.push({ path, level: next.level + 1 });
    }
  }
  return found;
}

/** The ids of all cgroups below the root; undefined where not all could be seen, so that nobody takes one for gone. */
export function cgroupIdsBelow(cgroupRoot: string): ReadonlySet<bigint> | undefined {
  const ids = new Set<bigint>();
  const left = [cgroupRoot];
  for (let folder = left.pop(); folder !== undefined; folder = left.pop()) {
    try {
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory()) left.push(join(folder, entry.name));
      }
      ids.add(statSync(folder, { bigint: true }).ino);
    } catch (error) {
      if (!["ENOENT", "ENODEV"].includes(codeOf(error))) return undefined; // such as EMFILE; those are removed meanwhile
    }
    if (ids.size > CGROUPS_SEEN_MAX) return undefined;
  }
  return ids;
}

/** Names of the cgroups directly in one; none when it is gone. */
export function childrenOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Some process in a cgroup or below it; undefined when none lives there. */
export function someProcess(cgroupRoot: string, path: string): number | undefined {
  const below = (part: string): number | undefined => {
    const [first] = procsOf(join(cgroupRoot, part));
    if (first !== undefined) return first;
    for (const name of childrenOf(join(cgroupRoot, part))) {
      const found = below(`${part}/${name}`);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return below(path);
}

function procsOf(folder: string): readonly number[] {
  try {
    return readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return []; // gone, or a threaded cgroup: EOPNOTSUPP
  }
}
