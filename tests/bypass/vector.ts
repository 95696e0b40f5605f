/** The nouns of the bypass suite: a way round, the places it is tried from, and what a row came to. Runs nothing. */

export const PLACES = ["root", "user", "child", "container"] as const;
export type Place = (typeof PLACES)[number];

export const PLACE_WORDS: Readonly<Record<Place, string>> = {
  root: "host process as root",
  user: "host process as a plain user",
  child: "child cgroup of an agent, as root",
  container: "container (podman, runc), as its root",
};

/** A limit that SECURITY.md states, by the words that stand there: where it holds, and what to do about it. */
export interface Stated {
  /** Words of the first column of SECURITY.md's table of limits. */
  readonly limit: string;
  readonly remedy: string;
  /** Every place, unless told. */
  readonly places?: readonly Place[];
}

export interface Vector {
  /** Lower case with hyphens; names differ. */
  readonly name: string;
  /** One line: what the attack does. */
  readonly what: string;
  /** Python, run behind prelude.py. It ends with the token at a sink, or raises. */
  readonly attack: string;
  /** The mechanisms that may close it; any other is the wrong reason, and the row is open. */
  readonly closedBy: readonly string[];
  /** A capability ("SYS_ADMIN") whose absence is what refuses the attack. */
  readonly capability?: string;
  /** It acts on a process outside: what refuses is the agent's scope (Landlock, or the filter where that is missing). */
  readonly scoped?: true;
  /**
   * "sink" (unless told): an observer had the token. "made": there is no sink; the forbidden thing itself was made.
   * "group": a membership report with the token's group. "answer": the attack said a secret that only a sink knows.
   * "decoy": a folder of the suite beside the guard's pins is gone.
   */
  readonly judge?: "sink" | "made" | "group" | "answer" | "decoy";
  readonly stated?: readonly Stated[];
  /** Places where it has a meaning; all, unless told. */
  readonly places?: readonly Place[];
  /** Disturbs the daemon: it is started again afterwards, and the kernel's events are read then. */
  readonly disturbs?: true;
  /**
   * How the attack is started, where that is the attack: with an open connection, on a caller's terminal, in a cgroup
   * that is tagged when the attack asks for it, in a leaf of a subtree that the user owns.
   */
  readonly start?: "ordinary" | "inherited-socket" | "terminal" | "before-tag" | "delegated";
}

/** What an attack said of itself; explains, never decides. */
export interface Report {
  readonly status: Readonly<Record<string, string>>;
  readonly failed?: { readonly step: string; readonly errno: string; readonly error: string };
  readonly made?: string;
  readonly output: string;
}

export interface Try {
  readonly token: string;
  /** Where the token was seen; empty: nowhere. */
  readonly seen: readonly string[];
  readonly report: Report;
  /** Refusals of the kernel or the daemon that this attack met: "unlisted", "no-door", … */
  readonly refusals: readonly string[];
}

export type Verdict =
  | { readonly kind: "closed"; readonly mechanism: string }
  | { readonly kind: "stated"; readonly limit: string; readonly remedy: string; readonly seen: string }
  | { readonly kind: "open"; readonly why: string }
  | { readonly kind: "not-possible"; readonly why: string };

export interface Row {
  readonly vector: Vector;
  readonly topic: string;
  readonly place: Place;
  readonly verdict: Verdict;
  readonly ms: number;
}
