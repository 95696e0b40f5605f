/** Which route a request means, by its method and path. */
import type { IncomingMessage } from "node:http";
import { type Checks, checksOf } from "./checks.ts";
import { ApiFault } from "./faults.ts";
import type { Route } from "./route.ts";
import { ROUTES } from "./routes.ts";
import { STEP } from "./shapes.ts";

export interface Place {
  readonly route: Route;
  readonly checks: Checks;
  /** The ":name" parts, decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly parameters: URLSearchParams;
}

/** Routes with what their requests are checked by, and the parts of their paths. */
const PLACES = ROUTES.map((route) => ({ route, checks: checksOf(route), pattern: route.path.split("/") }));

/** A fault (API_ROUTE_UNKNOWN, API_METHOD) where there is none: whoever is nobody is not told even that. */
export function placeOf(request: IncomingMessage): Place | ApiFault {
  const url = URL.parse(request.url ?? "/", "http://sallyport");
  const steps = url?.pathname.split("/") ?? []; // what is no target of a request, as "//", fits nowhere
  const fitting = PLACES.flatMap(({ route, checks, pattern }) => {
    const path = match(pattern, steps);
    return path === undefined ? [] : [{ route, checks, path, parameters: url?.searchParams ?? new URLSearchParams() }];
  });
  const found = fitting.find(({ route }) => route.method === request.method);
  if (found !== undefined) return found;
  if (fitting.length > 0) return new ApiFault(405, "API_METHOD", `Cannot ${request.method} here`, "See docs/cli.md");
  const remedy = "The daemon may be older than the command";
  return new ApiFault(404, "API_ROUTE_UNKNOWN", "Cannot find that in the API", remedy);
}

/** The ":name" parts, or undefined when the path does not fit. A fixed step goes before a ":name" in ROUTES. */
function match(pattern: readonly string[], steps: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== steps.length) return undefined;
  const names: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const step = steps[index] ?? "";
    if (!part.startsWith(":")) {
      if (part !== step) return undefined;
    } else {
      const name = decoded(step);
      if (name === undefined) return undefined;
      names[part.slice(1)] = name;
    }
  }
  return names;
}

const STEP_FORM = new RegExp(String(STEP["pattern"]));

function decoded(step: string): string | undefined {
  try {
    const text = decodeURIComponent(step);
    return STEP_FORM.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}
