/** The words of `npm run bypass`. Throws UsageError with one line for a person. */
import { parseArgs } from "node:util";
import { PLACES, type Place } from "./vector.ts";
import { TOPICS } from "./vectors.ts";

export const HELP = `npm run bypass -- [options]

Tries every way round the guard that we know, from every place, each with a control run that proves that it would
have worked unguarded. Success is what a sink received. Needs root, a kernel with cgroup BPF, python3, cc, podman.

  --only VECTOR       this vector, or every vector of a topic (may be repeated)
  --place PLACE       ${PLACES.join(", ")} (may be repeated; all)
  --against COMMAND   instead of Sallyport, another tool's sandbox command: the attack's words are put in place of {},
                      or behind it. Verdicts are closed and open only; the container is left out.
  --quick             one place for each vector: as root where it takes a right, else as root and as a plain user in turn
  --list              the vectors, and no run
  --json FILE         the rows as JSON, too
  --write             the table into docs/bypass.md
  --help              this text

Examples:
  npm run bypass -- --only tcp-ipv4 --place root
  npm run bypass -- --against 'unshare --net -- {}'

Last line: N closed, N stated, N open. Exit code 1: a row is open; 2: wrong usage.`;

export class UsageError extends Error {}

export interface Options {
  readonly only: ReadonlySet<string>;
  readonly places: readonly Place[];
  /** Words of another tool's command. */
  readonly against: readonly string[] | undefined;
  readonly quick: boolean;
  readonly list: boolean;
  readonly help: boolean;
  readonly json: string | undefined;
  readonly write: boolean;
}

export function readOptions(args: readonly string[]): Options {
  const values = parse(args);
  const only = new Set(values.only ?? []);
  const known = new Set(TOPICS.flatMap(({ title, vectors }) => [title, ...vectors.map(({ name }) => name)]));
  const unknown = [...only].filter((name) => !known.has(name));
  if (unknown.length > 0) throw new UsageError(`Cannot find the vector ${unknown.join(", ")}; see --list`);
  const against = values.against?.split(/\s+/).filter(Boolean);
  if (against?.length === 0) throw new UsageError("--against needs a command");
  const chosen = (values.place ?? PLACES.filter((place) => against === undefined || place !== "container")).map(
    placeOf,
  );
  if (against !== undefined && chosen.includes("container")) {
    throw new UsageError("--against cannot be tried in the container");
  }
  const { quick = false, list = false, help = false, write = false, json } = values;
  return { only, places: chosen, against, quick, list, help, json, write };
}

function placeOf(text: string): Place {
  const place = PLACES.find((one) => one === text);
  if (place === undefined) throw new UsageError(`Cannot try from ${text}: the places are ${PLACES.join(", ")}`);
  return place;
}

function parse(args: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean" } as const;
    const many = { type: "string", multiple: true } as const;
    const options = {
      ...{ only: many, place: many, against: text, json: text, quick: flag, list: flag, help: flag, write: flag },
    };
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
