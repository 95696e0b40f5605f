/** Guarded commands as the API starts and sums them up. Plain values, no behaviour. */
import type { Caller } from "./ports.ts";

export interface RunPorts {
  /** What a command of this agent is to have in its environment, apart from SALLYPORT_RUN. Throws AGENT_UNKNOWN. */
  environment(agent: string): Promise<Readonly<Record<string, string>>>;
  /**
   * Moves a waiting process into a cgroup of its own and tags it. `pid` was a child of the caller, of the caller's
   * uid, when it was checked; check it again after the move.
   */
  create(request: RunRequest, caller: Caller): Promise<Run>;
  /** Undefined when no such run is known, or it belongs to another uid and the caller is no admin. */
  summary(id: string, caller: Caller): Promise<RunSummary | undefined>;
}

export interface RunRequest {
  readonly agent: string;
  readonly pid: number;
  /** A signed JWT that says who it is, as its issuer wrote it. */
  readonly token?: string;
}

export interface Run {
  /** Unpredictable text without spaces; becomes SALLYPORT_RUN. */
  readonly id: string;
  readonly agent: string;
  readonly cgroup: string;
  readonly bounds: RunBounds;
}

/** What the launcher takes from the command, beyond what it takes from every one. */
export interface RunBounds {
  /** "denied": this kernel cannot tell where a Unix socket connects, and no door is open: the command gets none. */
  readonly unixSockets: "judged" | "denied";
  /** Files and folders that root inside may not read: state, secrets. Whole paths; only for a caller who is root. */
  readonly hidden: readonly string[];
  /** Those that it may read but not change. */
  readonly fixed: readonly string[];
}

export interface RunSummary {
  readonly id: string;
  readonly agent: string;
  readonly sessions: number;
  readonly allowed: number;
  readonly denied: number;
  readonly held: number;
  /** Values. */
  readonly masked: number;
  /** Connections that never became a session: unlisted addresses and the like. */
  readonly refused: number;
  readonly unixRefused: number; // dials of Unix sockets that no door opens
}
