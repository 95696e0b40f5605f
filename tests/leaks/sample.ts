/** Which attacks a run tries. */
import type { Placed } from "./attacks.ts";
import { Random } from "./compose/random.ts";
import type { Version } from "./world.ts";

/** Those of a server: all that it knows, or what the older one does not know. */
export function attacksOn(all: readonly Placed[], version: Version, server: Version | undefined): readonly Placed[] {
  if (server !== undefined && server !== version) return [];
  return all.filter(({ attack: { since = 15 } }) => (server === undefined ? since === version : since <= version));
}

export function chosen(all: readonly Placed[], only: readonly string[]): readonly Placed[] {
  if (only.length === 0) return all;
  return all.filter(({ group, attack }) => only.some((text) => group.includes(text) || attack.name.includes(text)));
}

/** So many of each group; those that need no database of their own first, since making one takes longest. */
export function sample(all: readonly Placed[], each: number, seed: number): readonly Placed[] {
  const random = new Random(seed);
  const groups = [...new Set(all.map(({ group }) => group))];
  return groups.flatMap((title) => {
    const left = all.filter(({ group }) => group === title);
    const cheap = left.filter(({ attack }) => attack.changes !== true && attack.before === undefined);
    const from = cheap.length >= each ? cheap : left;
    return Array.from({ length: Math.min(each, from.length) }, () => from.splice(random.int(from.length), 1)).flat();
  });
}
