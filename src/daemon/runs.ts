/** `sallyport run`: a waiting process is confined and tagged before it may go on; what it did is summed up after. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { UserError } from "../base/errors.ts";
import { RUN_SETTLE_MS, RUNS_REMEMBERED_MAX } from "../base/limits.ts";
import type { Caller } from "../control/ports.ts";
import type { Run, RunBounds, RunPorts, RunRequest, RunSummary } from "../control/runs.ts";
import type { Agents, TagRequest } from "../identity/agents.ts";
import { confine, removeCgroup } from "../kernel/cgroups.ts";
import type { AuditEvent } from "../model/event.ts";
import type { Identity } from "../model/identity.ts";
import type { Sessions } from "../path/sessions.ts";
import type { Tag } from "../store/tags.ts";
import type { CredentialReference } from "../vault/references.ts";

interface Known {
  readonly run: Run;
  readonly uid: number | undefined;
  readonly cgroupId: bigint;
  readonly counts: {
    sessions: number;
    allowed: number;
    denied: number;
    held: number;
    masked: number;
    refused: number;
    unixRefused: number;
  };
}

export interface RunParts {
  readonly agents: Agents;
  readonly sessions: Sessions;
  readonly cgroupRoot: string;
  readonly environment: Readonly<Record<string, string>>;
  /** As it stands; who is not root is not told of paths, nor could hide them. */
  readonly bounds: () => RunBounds;
  /** Hears of the waiting process before its cgroup is tagged. */
  readonly admit?: (pid: number, cgroup: string) => void;
  readonly confine?: typeof confine;
  /** Who shows this token as that agent. Throws TOKEN_… and ISSUER_… */
  readonly identify: (token: string, agent: string, caller: Caller) => Promise<Identity>;
  /** All accounts by which a caller is known or acts. */
  readonly accountsOf: (caller: Caller) => readonly string[];
}

export class Runs implements RunPorts {
  readonly #parts: RunParts;
  readonly #known = new Map<string, Known>();

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  async environment(agent: string): Promise<Readonly<Record<string, string>>> {
    this.#parts.agents.check(agent);
    return { ...this.#parts.environment, SALLYPORT_AGENT: agent };
  }

  async create({ agent, pid, token }: RunRequest, caller: Caller): Promise<Run> {
    const id = randomBytes(8).toString("hex");
    const startedAt = startTimeOf(pid);
    const gone = () => new UserError("RUN_PROCESS_GONE", `Cannot guard process ${pid}: it ended`, "Try again");
    if (startedAt === undefined) throw gone();
    // before anything is moved: an issuer may take its time, and refuse
    const identity = token === undefined ? {} : { identity: await this.#parts.identify(token, agent, caller) };
    const path = await (this.#parts.confine ?? confine)(this.#parts.cgroupRoot, `run-${id}`, pid);
    const startedBy = this.#parts.accountsOf(caller);
    const request = { as: agent, path, kind: "run", runId: id, uid: caller.uid, startedBy, ...identity } as const;
    const tag = await this.#tag(request, () => {
      this.#parts.admit?.(pid, path);
      // the number may have passed to another process between the caller's word and the move
      if (startTimeOf(pid) !== startedAt) throw gone();
    });
    const { unixSockets, hidden, fixed } = this.#parts.bounds();
    const paths = caller.uid === 0 ? { hidden, fixed } : { hidden: [], fixed: [] };
    const run: Run = { id, agent, cgroup: path, bounds: { unixSockets, ...paths } };
    const counts = { sessions: 0, allowed: 0, denied: 0, held: 0, masked: 0, refused: 0, unixRefused: 0 };
    this.#known.set(id, { run, uid: caller.uid, cgroupId: tag.cgroupId, counts });
    const [oldest] = this.#known.keys();
    if (this.#known.size > RUNS_REMEMBERED_MAX && oldest !== undefined) this.#known.delete(oldest);
    return run;
  }

  /** A cgroup that could not be guarded does not stay. */
  async #tag(request: TagRequest, check: () => void): Promise<Tag> {
    try {
      check();
      return await this.#parts.agents.tag(request);
    } catch (error) {
      removeCgroup(request.path);
      throw error;
    }
  }

  /** Waits a moment for sessions of the run to end, so that their counts are in. */
  async summary(id: string, caller: Caller): Promise<RunSummary | undefined> {
    const known = this.#known.get(id);
    const isOwn = caller.uid !== undefined && caller.uid === known?.uid;
    if (known === undefined || (!caller.roles.has("admin") && !isOwn)) return undefined;
    await this.#parts.sessions.settled(({ origin }) => origin.tagCgroupId === known.cgroupId, RUN_SETTLE_MS);
    return { id, agent: known.run.agent, ...known.counts };
  }

  /** Counts what the audit trail tells of sessions and of refused connections. */
  count(cgroupId: bigint, event: Pick<AuditEvent, "kind" | "fields">): void {
    for (const { cgroupId: own, counts } of this.#known.values()) {
      if (own !== cgroupId) continue;
      if (event.kind === "session.end") {
        const number = (name: string) => Number(event.fields?.[name] ?? 0);
        counts.sessions += 1;
        counts.denied += number("denied");
        counts.held += number("held");
        counts.allowed += Math.max(0, number("statements") - number("denied"));
        counts.masked += number("masked");
      } else if (event.kind === "kernel.unix") {
        counts.unixRefused += 1; // every program of the C library tries nscd's: these would drown the others
      } else {
        counts.refused += 1;
      }
    }
  }
}

/** Secrets that are files: what a command that runs as root could read. */
export function secretFiles(references: ReadonlyMap<string, CredentialReference>): string[] {
  const files = [...references.values()].flatMap(({ password }) =>
    password !== undefined && "file" in password ? [password.file] : [],
  );
  return [...new Set(files)]; // many connections may share one
}

/** Field 22 of proc(5) /proc/PID/stat: with the pid it names one process for ever. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
