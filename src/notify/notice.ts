/**
 * What is told of a held action: one shape for every kind of target. Webhooks get it as it is (docs/notify.md), so it only
 * ever grows. With "ids" no statement and nobody's words leave the host but the rule's own.
 */
import type { Judging } from "../holds/entitled.ts";
import { demandWords, isCounted, missing } from "../holds/quorum.ts";
import type { HoldRecord, HoldState } from "../holds/record.ts";
import type { Moment, NotifyTarget } from "../model/notify.ts";

export type Notice = HoldNotice | TestNotice;

export interface HoldNotice {
  readonly type: `notice.${Moment}`;
  /** ISO 8601, of the moment. */
  readonly timestamp: string;
  readonly data: HeldData;
}

/** To try a target: nothing of it can be answered. */
interface TestNotice {
  readonly type: "notice.test";
  readonly timestamp: string;
  readonly data: { readonly message: string };
}

export interface HeldData {
  readonly hold: string;
  readonly state: HoldState;
  readonly agent: string;
  readonly connection: string;
  readonly protocol: string;
  readonly rules: readonly string[];
  readonly message: string;
  readonly actions: readonly string[];
  readonly tables: readonly string[];
  /** Of each rule: "2 of sre or dba". */
  readonly approvers: readonly string[];
  /** What is missing; absent: nothing, or it is over. */
  readonly missing?: string;
  /** The first 12 characters: an answer names them, so that it counts only for what was shown. */
  readonly digest: string;
  readonly openedAt: string;
  readonly expiresAt: string;
  /** Those who approved so far: "ada (sre)", "ben (sre for ada, delegation 3f2a91c04d)". */
  readonly approvedBy: readonly string[];
  readonly deniedBy?: string;
  /** With "statements": as recorded, so after the detectors. */
  readonly statements?: HoldRecord["statements"];
  readonly result?: string;
}

/** As much of a digest as a person copies from a listing. */
const DIGEST_SHOWN = 12;

export function noticeOf(
  record: HoldRecord,
  moment: Moment,
  atMs: number,
  show: NotifyTarget["show"],
  judging: Judging,
): HoldNotice {
  return { type: `notice.${moment}`, timestamp: isoOf(atMs), data: dataOf(record, show, judging) };
}

export function testNotice(atMs: number): TestNotice {
  return {
    type: "notice.test",
    timestamp: isoOf(atMs),
    data: { message: "A test: held actions of this host are told here" },
  };
}

/**
 * What a change is to those who are told; undefined: nothing. `votesBefore`: how many had approved when it was last told;
 * undefined: it was not, as long as nobody is asked (an approval that stands let it go, or there was no room for it to wait).
 */
export function momentOf({ state, votes, endedMs }: HoldRecord, votesBefore: number | undefined): Moment | undefined {
  if (votesBefore === undefined) return state === "waiting" ? "held" : undefined;
  if (endedMs !== undefined) return state === "expired" ? "expired" : "ended";
  return votes.length > votesBefore ? "answered" : undefined;
}

/** Of one that was made. */
export function momentIn({ type }: HoldNotice): Moment {
  return type.slice("notice.".length) as Moment;
}

/** One that was made, without what is not to leave the host any more. */
export function shownAs(notice: HoldNotice, show: NotifyTarget["show"]): HoldNotice {
  if (show === "statements") return notice;
  const { statements, result, ...ids } = notice.data;
  return { ...notice, data: ids };
}

/** An end by time is an end, too, for who is told of ends. */
export function wants({ on }: Pick<NotifyTarget, "on">, moment: Moment): boolean {
  return on.includes(moment) || (moment === "expired" && on.includes("ended"));
}

/** Whether this action is that target's to know and to answer. */
export function concerns({ groups }: Pick<NotifyTarget, "groups">, { demands }: Pick<HoldRecord, "demands">): boolean {
  return groups.length === 0 || demands.some(({ approvers }) => approvers.some((group) => groups.includes(group)));
}

function dataOf(record: HoldRecord, show: NotifyTarget["show"], judging: Judging): HeldData {
  const { id, state, agent, connection, protocol, rules, message, statements, tables, demands } = record;
  const { digest, openedMs, expiresMs, votes, denied, result } = record;
  const lacking = state === "waiting" ? missing(record, judging) : undefined;
  const counted = state === "waiting" ? votes.filter((vote) => isCounted(record, vote, judging)) : votes;
  return {
    ...{ hold: id, state, agent, connection, protocol, rules, message },
    actions: [...new Set(statements.flatMap(({ actions }) => actions))],
    tables: [...new Set(tables.map(({ name }) => name))],
    approvers: demands.map(demandWords),
    ...(lacking === undefined ? {} : { missing: lacking }),
    digest: digest.slice(0, DIGEST_SHOWN),
    ...{ openedAt: isoOf(openedMs), expiresAt: isoOf(expiresMs) },
    approvedBy: counted.map(({ name }) => name),
    ...(denied === undefined ? {} : { deniedBy: denied.name }),
    ...(show === "ids" ? {} : { statements, ...(result === undefined ? {} : { result }) }),
  };
}

function isoOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
