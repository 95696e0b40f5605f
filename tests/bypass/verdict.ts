/** Judges one row from its two tries. Pure: no clock, no files, no sockets. */
import type { Place, Report, Stated, Try, Vector, Verdict } from "./vector.ts";

/** What the kernel or the program said, in the words of a mechanism, where no event tells it. */
const BY_ERRNO: Readonly<Record<string, string>> = {
  EROFS: "read-only",
  EBADF: "closed-descriptors",
  ENOENT: "hidden",
  ENOTDIR: "hidden",
  EACCES: "permission",
  ESRCH: "hidden",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  ECONNREFUSED: "nobody-listens",
  ENETUNREACH: "no-network",
  ETIMEDOUT: "dropped",
  NXDOMAIN: "answered-here",
  FORMERR: "answered-here",
  NOTIMP: "answered-here",
};

export interface Judged {
  readonly vector: Vector;
  readonly place: Place;
  /** Ran outside of the guard, where it must succeed. */
  readonly control: Try;
  /** Undefined when the control failed. */
  readonly guarded: Try | undefined;
  /** Another tool's reasons and limits we do not know. */
  readonly guard: "sallyport" | "another";
  /** The text of SECURITY.md. */
  readonly limits: string;
}

export function judge({ vector, place, control, guarded, guard, limits }: Judged): Verdict {
  const against = guard === "another";
  if (control.seen.length === 0 || guarded === undefined) {
    return { kind: "not-possible", why: explain(control.report, "the control run reached no sink") };
  }
  const stated = against ? undefined : statedIn(vector, place);
  if (guarded.seen.length > 0) {
    const [seen = ""] = guarded.seen;
    if (stated === undefined) return { kind: "open", why: `reached ${guarded.seen.join(", ")}` };
    if (!limits.includes(stated.limit)) return { kind: "open", why: `SECURITY.md does not say: ${stated.limit}` };
    return { kind: "stated", limit: stated.limit, remedy: stated.remedy, seen };
  }
  const mechanism = mechanismOf(vector, guarded);
  if (!hasStarted(guarded.report) && !vector.closedBy.includes(mechanism)) {
    return { kind: "open", why: `the attack was never started: ${explain(guarded.report, "no word")}` };
  }
  if (stated !== undefined) {
    return { kind: "open", why: `stale: stated as a limit, but closed by ${mechanism}; take it out of the limits` };
  }
  if (against) return { kind: "closed", mechanism };
  if (vector.closedBy.includes(mechanism)) return { kind: "closed", mechanism };
  const expected = vector.closedBy.join(" or ") || "nothing";
  return {
    kind: "open",
    why: `wrong reason: ${mechanism} (${explain(guarded.report, "no error")}) instead of ${expected}`,
  };
}

export function statedIn(vector: Vector, place: Place): Stated | undefined {
  return vector.stated?.find(({ places }) => places === undefined || places.includes(place));
}

/**
 * The C library of any program may look for a local daemon first (nscd, userdb), and meets a closed door on its way:
 * that says nothing of an attack which is not about doors.
 */
const BY_THE_WAY = "no-door";

/** An event of the guard says it best; else how the attack failed, together with what it was allowed to be. */
export function mechanismOf(vector: Vector, { refusals, report }: Try): string {
  const expected = vector.closedBy.find((mechanism) => refusals.includes(mechanism));
  const told = expected ?? refusals.find((mechanism) => mechanism !== BY_THE_WAY);
  if (told !== undefined) return told;
  const { failed, status } = report;
  if (!hasStarted(report)) return /\b[A-Z]+(_[A-Z]+)+(?=: )/.exec(report.output)?.[0] ?? "unexplained";
  if (failed === undefined) return "unexplained";
  const isRefused = ["EPERM", "EACCES"].includes(failed.errno);
  if (vector.capability !== undefined && isRefused && !hasCapability(status, vector.capability)) return "capability";
  if (vector.scoped && isRefused) return "scope";
  const isFiltered = status["Seccomp"] === "2";
  if (isFiltered && ["EPERM", "ENOSYS", "EAFNOSUPPORT"].includes(failed.errno)) return "seccomp";
  if (isFiltered && failed.errno === "EACCES" && failed.step === "socket") return "seccomp";
  return BY_ERRNO[failed.errno] ?? failed.errno;
}

/** A guard that cannot run a program has closed nothing. */
function hasStarted({ status }: Report): boolean {
  return Object.keys(status).length > 0;
}

/** The order of linux/capability.h, as far as vectors name them. */
const CAPABILITY_BITS: Readonly<Record<string, bigint>> = {
  KILL: 5n,
  NET_ADMIN: 12n,
  NET_RAW: 13n,
  SYS_MODULE: 16n,
  SYS_PTRACE: 19n,
  SYS_ADMIN: 21n,
  SYS_BOOT: 22n,
  MKNOD: 27n,
  PERFMON: 38n,
  BPF: 39n,
};

function hasCapability(status: Report["status"], name: string): boolean {
  const bit = CAPABILITY_BITS[name];
  if (bit === undefined) throw new Error(`Cannot tell whether ${name} is held: verdict.ts does not list it`);
  return ((BigInt(`0x${status["CapEff"] || "0"}`) >> bit) & 1n) === 1n;
}

export function explain({ failed, output }: Report, otherwise: string): string {
  if (failed !== undefined) return `${failed.step}: ${failed.errno}`;
  const last = output.trim().split("\n").at(-1) ?? "";
  return last === "" || last.startsWith("{") ? otherwise : last.slice(0, 160);
}
