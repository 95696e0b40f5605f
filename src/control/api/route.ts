/** What a route is: what it takes and gives, by schemas, who may use it, and which port answers. Knows no sockets. */
import type { SignInWay } from "../../model/api-listener.ts";
import type { Role } from "../../model/role.ts";
import type { Caller, ControlPorts } from "../ports.ts";
import { unknownThing } from "./faults.ts";
import type { AnySchema, Schema } from "./schema.ts";

export interface Route extends Described {
  /** An object of the query's parameters. */
  readonly query?: AnySchema;
  readonly body?: AnySchema;
  readonly gives: Gives;
  answer(asked: Asked, ports: ControlPorts): Promise<Answer>;
}

interface Described {
  readonly method: "GET" | "POST" | "DELETE";
  /** "/v1/sessions/:id" */
  readonly path: string;
  /** One line for a person. */
  readonly summary: string;
  /** Any of them does. */
  readonly roles: readonly Role[];
  /** What agents asked or got: the trail tells who looked. */
  readonly showsRecordings?: true;
  /** A step of signing in: over TLS open to who shows nothing, where the settings let people sign in so. */
  readonly signsIn?: SignInWay;
  /** For root's processes, which cannot wait: container runtimes that start a container, whoever ends the daemon. */
  readonly isUnlimited?: true;
  /** Once the answer was sent. */
  afterwards?(ports: ControlPorts): void;
}

/** What was asked, after it was checked. */
export interface Asked<Names extends string = string, Query = unknown, Body = unknown> {
  readonly caller: Caller;
  /** What the ":name" parts of the path were, decoded. */
  readonly path: Readonly<Record<Names, string>>;
  readonly query: Query;
  readonly body: Body;
  /** Ends when the client has gone, or has got everything. */
  readonly gone: AbortSignal;
}

/** Of an answer: its media type, and the schema of the whole, of each line or of each event. */
export type Gives =
  | { readonly kind: "json" | "lines" | "events"; readonly type: string; readonly schema: AnySchema }
  | { readonly kind: "bytes" | "text"; readonly type: string };

export type Answer =
  | { readonly kind: "json"; readonly value: unknown }
  | { readonly kind: "text"; readonly text: string }
  /** One JSON object a line, as fast as the client reads. */
  | { readonly kind: "lines"; readonly lines: AsyncIterable<unknown> }
  | { readonly kind: "bytes"; readonly bytes: AsyncIterable<Uint8Array> }
  /** Server-sent events until the client leaves. */
  | { readonly kind: "events"; readonly watch: Watch<{ readonly kind: string }> };

/** Calls back until the returned function is called. */
type Watch<E> = (onEvent: (event: E) => void) => () => void;

/** "id" of "/v1/sessions/:id" */
type NamesOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | NamesOf<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

interface Declared<P extends string, Q, B, Result> extends Described {
  readonly path: P;
  readonly query?: Schema<Q>;
  readonly body?: Schema<B>;
  answer(asked: Asked<NamesOf<P>, Q, B>, ports: ControlPorts): Promise<Result>;
}

/** Gives one value. */
export function json<P extends string, Q, B, A>(route: Declared<P, Q, B, A> & { readonly gives: Schema<A> }): Route {
  const gives = { kind: "json", type: "application/json", schema: route.gives } as const;
  return routeOf(route, gives, (value) => ({ kind: "json", value }));
}

/** Gives one value a line. */
export function lines<P extends string, Q, B, A>(
  route: Declared<P, Q, B, AsyncIterable<A>> & { readonly gives: Schema<A> },
): Route {
  const gives = { kind: "lines", type: "application/x-ndjson", schema: route.gives } as const;
  return routeOf(route, gives, (values) => ({ kind: "lines", lines: values }));
}

export function events<P extends string, Q, B, A extends { readonly kind: string }>(
  route: Declared<P, Q, B, Watch<A>> & { readonly gives: Schema<A> },
): Route {
  const gives = { kind: "events", type: "text/event-stream", schema: route.gives } as const;
  // A watcher of one kind of event gets no other.
  return routeOf(route, gives, (watch) => ({ kind: "events", watch: watch as Watch<{ readonly kind: string }> }));
}

export function bytes<P extends string, Q, B>(
  route: Declared<P, Q, B, AsyncIterable<Uint8Array>> & { readonly gives: string },
): Route {
  return routeOf(route, { kind: "bytes", type: route.gives }, (stream) => ({ kind: "bytes", bytes: stream }));
}

export function text<P extends string, Q, B>(route: Declared<P, Q, B, string> & { readonly gives: string }): Route {
  return routeOf(route, { kind: "text", type: route.gives }, (words) => ({ kind: "text", text: words }));
}

/** Throws a 404 where there is none. */
export function found<T>(value: T | undefined, code: string, message: string, remedy: string): T {
  if (value === undefined) throw unknownThing(code, message, remedy);
  return value;
}

function routeOf<P extends string, Q, B, R>(
  route: Declared<P, Q, B, R>,
  gives: Gives,
  answerOf: (result: R) => Answer,
): Route {
  return {
    ...route,
    gives,
    // The server hands in what it has checked by the very schemas that the types are of.
    answer: async (asked, ports) => answerOf(await route.answer(asked as Asked<NamesOf<P>, Q, B>, ports)),
  };
}
