/** Who may ask: decided from the kernel's word on the peer, for every request anew. Knows no routes. */
import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { ANSWERING, type Role } from "../../model/role.ts";
import type { Caller, Peer } from "../ports.ts";
import { ApiFault } from "./faults.ts";
import type { Route } from "./route.ts";

/** The group whose members may run and list until roles exist. */
export const GROUP = "sallyport";

/** Whether a user belongs to GROUP, by primary or supplementary membership. */
export type Membership = (peer: { readonly uid: number; readonly gid: number }) => boolean;

/** The process behind a socket. Throws API_PEER_UNKNOWN. */
export function peerBehind(socket: Socket, peerOf: (socket: Socket) => Peer | undefined): Peer {
  const unknown = new ApiFault(
    403,
    "API_PEER_UNKNOWN",
    "Cannot tell which process asks",
    "Ask again from a process that lives",
  );
  let peer: Peer | undefined;
  try {
    peer = peerOf(socket);
  } catch {
    throw unknown;
  }
  if (peer === undefined || peer.cgroup === null) throw unknown;
  return peer;
}

/**
 * Throws API_PEER_TAGGED: what is inside a tagged cgroup is refused whatever its uid and whatever it shows, for an agent
 * must not end its own guard.
 */
export function refuseGuarded({ tagged }: Peer): void {
  if (!tagged) return;
  throw new ApiFault(
    403,
    "API_PEER_TAGGED",
    "Cannot serve a process that is itself guarded",
    "Call sallyport from outside of the tagged cgroup",
  );
}

/** Who a peer is by its user alone. Throws API_NOT_PERMITTED. */
export function callerOf(peer: Peer, isMember: Membership): Caller {
  const { pid, uid } = peer;
  if (uid === 0) return { roles: new Set(["admin"]), pid, uid };
  if (isMember(peer)) return { roles: new Set(["member"]), pid, uid };
  throw notPermitted();
}

/** What a request shows, or undefined. Throws API_TOKEN_INVALID for what is no bearer. Source: RFC 6750, 2.1. */
export function bearerOf({ authorization }: IncomingHttpHeaders): string | undefined {
  if (authorization === undefined) return undefined;
  const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1];
  if (bearer === undefined) throw tokenInvalid();
  return bearer;
}

export function tokenInvalid(): ApiFault {
  return new ApiFault(
    401,
    "API_TOKEN_INVALID",
    "Cannot take that session or API token: it is not known, has ended or is another user's",
    "Sign in again: sallyport login; or take it away: sallyport logout",
  );
}

/** Who may ask a route; see Route.roles. */
export const ADMINS: readonly Role[] = ["admin"];
export const AUDITORS: readonly Role[] = ["auditor", "admin"];
export const RUNNERS: readonly Role[] = ["member", "admin"];
export const ANSWERERS: readonly Role[] = ANSWERING;

/** Throws API_NOT_PERMITTED unless the caller has one of the roles; a stranger may sign in. */
export function requireRole(caller: Caller, route: Pick<Route, "roles" | "signsIn">): void {
  if (isEntitled(caller, route)) return;
  throw notPermitted(`This needs root, or the role ${route.roles.join(" or ")}`);
}

export function isEntitled(caller: Caller | undefined, { roles, signsIn }: Pick<Route, "roles" | "signsIn">): boolean {
  if (caller?.isStranger === true) return signsIn !== undefined;
  return caller !== undefined && roles.some((role) => caller.roles.has(role));
}

/** Reads passwd(5) and group(5) as they are now. Users of other name services count by their primary group only. */
export function membershipFrom(passwdFile = "/etc/passwd", groupFile = "/etc/group"): Membership {
  return ({ uid, gid }) => {
    const group = fieldsOf(groupFile).find(([name]) => name === GROUP);
    if (group === undefined) return false;
    if (group[2] === String(gid)) return true;
    const members = (group[3] ?? "").split(",").filter(Boolean);
    return fieldsOf(passwdFile).some(([name = "", , id]) => id === String(uid) && members.includes(name));
  };
}

/** The id of GROUP, or undefined where it does not exist. */
export function groupId(groupFile = "/etc/group"): number | undefined {
  const id = fieldsOf(groupFile).find(([name]) => name === GROUP)?.[2];
  return id === undefined || !/^\d+$/.test(id) ? undefined : Number(id);
}

/** Whether `pid` is a child of the caller and of the caller's user: what `run` may hand over. Source: proc(5). */
export function isChildOf(pid: number, caller: Caller): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const parent = /^PPid:\s+(\d+)$/m.exec(status)?.[1];
    const uids = /^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)$/m.exec(status)?.slice(1) ?? [];
    return Number(parent) === caller.pid && uids.length === 4 && uids.every((uid) => Number(uid) === caller.uid);
  } catch {
    return false; // gone, or not ours to see: nothing to hand over
  }
}

function notPermitted(message = "This user may not use the daemon"): ApiFault {
  return new ApiFault(403, "API_NOT_PERMITTED", message, `Use sudo; to run and list, join the group ${GROUP}`);
}

function fieldsOf(file: string): string[][] {
  try {
    return readFileSync(file, "utf8")
      .split("\n")
      .map((line) => line.split(":"));
  } catch {
    return []; // no file, no member: the closed side
  }
}
