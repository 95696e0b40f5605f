/**
 * The facts that every condition may read, the two actions that policy itself declares, and the
 * check that an action brings exactly the facts it declared. Knows no protocol.
 */
import type { Connection } from "../model/connection.ts";
import type { Agent } from "../model/identity.ts";
import type { ActionDeclaration, Fact, Facts, FactType } from "../model/operation.ts";
import type { Origin } from "../model/origin.ts";

/** Reaching a backend at all; also permits a protocol's housekeeping. */
export const CONNECT = "connect";
/** Asked for every column, and for every detected value, of an answer. Only `mask` rules may be on it. */
export const REVEAL = "reveal";

const TEXTS: FactType = { map: "string" };

/** Facts of the one who asks. They hold still for a session. */
export const SUBJECT_FACTS: Readonly<Record<string, FactType>> = {
  agent: { object: "Agent", fields: { name: "string", groups: { list: "string" }, claims: TEXTS } },
  origin: {
    object: "Origin",
    fields: {
      pid: "int",
      uid: "int",
      user: "string",
      executable: "string",
      comm: "string",
      cgroup: "string",
      address: "string",
      port: "int",
    },
  },
  connection: { object: "Connection", fields: { name: "string", protocol: "string", labels: TEXTS } },
  session: { object: "Session", fields: { id: "string" } },
};

/**
 * UTC. `hour` 0-23, `minute` 0-59 of the hour, `weekday` 0 (Sunday) to 6, `epoch` seconds since 1970.
 * Rules that read time are never answered from a cache.
 */
export const TIME_FACTS: Readonly<Record<string, FactType>> = {
  time: { object: "Time", fields: { hour: "int", minute: "int", weekday: "int", epoch: "int" } },
};

export const OWN_ACTIONS: readonly ActionDeclaration[] = [
  { name: CONNECT, about: "Reach a backend", facts: { database: "string", user: "string" } },
  {
    name: REVEAL,
    about: "Show a value of an answer",
    facts: {
      column: {
        object: "Column",
        fields: { schema: "string", table: "string", name: "string", labels: { list: "string" } },
      },
      // "" when the column itself is asked for.
      detector: "string",
    },
  },
];

/** What a session tells of itself; `Connection` of the model fits. */
export type SubjectConnection = Pick<Connection, "name" | "protocol" | "labels">;

export function subjectFacts(sessionId: string, agent: Agent, origin: Origin, connection: SubjectConnection): Facts {
  return {
    agent: { name: agent.name, groups: [...agent.groups], claims: { ...agent.claims } },
    origin: {
      pid: origin.pid,
      uid: origin.uid,
      user: origin.user,
      executable: origin.executable,
      comm: origin.comm,
      cgroup: origin.cgroup,
      address: origin.address,
      port: origin.port,
    },
    connection: { name: connection.name, protocol: connection.protocol, labels: { ...connection.labels } },
    session: { id: sessionId },
  };
}

export function timeFacts(nowMs: number): Facts {
  const date = new Date(nowMs);
  return {
    time: {
      hour: date.getUTCHours(),
      minute: date.getUTCMinutes(),
      weekday: date.getUTCDay(),
      epoch: Math.floor(nowMs / 1000),
    },
  };
}

/** The path of the first fact that is missing or not of its declared type ("statement.tables[2].labels"), or undefined. */
export function misfit(facts: Facts, declared: Readonly<Record<string, FactType>>): string | undefined {
  // paths cost more than the check, and are wanted only where something is wrong
  return fitsAll(facts, declared) ? undefined : misfitAt(facts, declared, "");
}

function fitsAll(facts: Facts, declared: Readonly<Record<string, FactType>>): boolean {
  for (const name in declared) {
    const type = declared[name];
    if (type === undefined || !Object.hasOwn(facts, name) || !fits(facts[name], type)) return false;
  }
  return true;
}

function fits(fact: Fact | undefined, type: FactType): boolean {
  if (type === "string") return typeof fact === "string";
  if (type === "bool") return typeof fact === "boolean";
  if (type === "int") return Number.isSafeInteger(fact);
  if ("list" in type) {
    if (!Array.isArray(fact)) return false;
    for (let at = 0; at < fact.length; at++) if (!fits(fact[at], type.list)) return false;
    return true;
  }
  if (!isObject(fact)) return false;
  if ("object" in type) return fitsAll(fact, type.fields);
  for (const key of Object.keys(fact)) if (!fits(fact[key], type.map)) return false;
  return true;
}

function misfitAt(facts: Facts, declared: Readonly<Record<string, FactType>>, path: string): string | undefined {
  for (const name in declared) {
    const type = declared[name];
    const where = path === "" ? name : `${path}.${name}`;
    if (type === undefined || !Object.hasOwn(facts, name)) return where;
    const wrong = misfitOf(facts[name], type, where);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function misfitOf(fact: Fact | undefined, type: FactType, path: string): string | undefined {
  if (type === "string") return typeof fact === "string" ? undefined : path;
  if (type === "bool") return typeof fact === "boolean" ? undefined : path;
  if (type === "int") return Number.isSafeInteger(fact) ? undefined : path;
  if ("list" in type) {
    if (!Array.isArray(fact)) return path;
    for (let index = 0; index < fact.length; index++) {
      const wrong = misfitOf(fact[index], type.list, `${path}[${index}]`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
  if (!isObject(fact)) return path;
  if ("object" in type) return misfitAt(fact, type.fields, path);
  for (const key of Object.keys(fact)) {
    // A key may be data (a label, a header), so it is not part of the path.
    if (misfitOf(fact[key], type.map, path) !== undefined) return path;
  }
  return undefined;
}

export function isObject(fact: Fact | undefined): fact is { readonly [name: string]: Fact } {
  return typeof fact === "object" && fact !== null && !Array.isArray(fact);
}
