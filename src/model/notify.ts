/** Whom held actions are told to, and who answers from there, as the settings say it. Secrets are references. */
import type { SecretRef } from "./sink.ts";

export interface NotifySettings {
  /** On loopback, where answers come in; absent: nowhere. */
  readonly listen: { readonly address: string; readonly port: number } | undefined;
  readonly targets: readonly NotifyTarget[];
}

export type NotifyKind = "slack" | "teams" | "webhook";

/** What happens to a held action: it waits; somebody answered, and it waits on; nobody did in time; it is over. */
export type Moment = "held" | "answered" | "expired" | "ended";

export interface NotifyTarget {
  readonly name: string;
  readonly kind: NotifyKind;
  /** Of Slack and Teams it is a secret by itself. */
  readonly url: SecretRef;
  /** Of the signatures on what comes back; of a `webhook` also on what goes out. */
  readonly secret?: SecretRef;
  /** Of Slack and Teams: the only workspace or tenant whose users count. */
  readonly team?: string;
  readonly tenant?: string;
  readonly on: readonly Moment[];
  /** Only what members of one of these may answer; empty: all. */
  readonly groups: readonly string[];
  readonly show: "ids" | "statements";
  /** PEM file of roots, instead of the system's. */
  readonly ca?: string;
  /** Unix users by account: "slack:T123/U456", "teams:TENANT/OBJECT", "webhook:NAME/USER". */
  readonly answers: Readonly<Record<string, string>>;
  /** Accounts of humans whom the settings name, as far as they are this target's to speak for. */
  readonly humans: readonly string[];
}

/** Whether anybody's answer counts there. */
export function takesAnswers({ secret, answers, humans }: NotifyTarget): boolean {
  return secret !== undefined && Object.keys(answers).length + humans.length > 0;
}

/** How accounts at a target begin: whoever has its secret can speak for these and for no others. Undefined: not told. */
export function accountsBegin({ name, kind, team, tenant }: AccountPlace): string | undefined {
  const place = { slack: team, teams: tenant, webhook: name }[kind];
  return place === undefined ? undefined : `${kind}:${place}/`;
}

export interface AccountPlace extends Pick<NotifyTarget, "name" | "kind"> {
  readonly team?: string | undefined;
  readonly tenant?: string | undefined;
}

/** How far a target has come, since the start of the daemon or its last change in the settings. */
export interface NotifyStatus {
  readonly name: string;
  readonly kind: NotifyKind;
  readonly state: "current" | "failing";
  readonly takesAnswers: boolean;
  /** Messages that wait. */
  readonly queued: number;
  readonly sent: number;
  /** Tries that failed and were, or will be, made again. */
  readonly retried: number;
  /** Messages that were given up. */
  readonly lost: number;
  readonly lastError?: { readonly atMs: number; readonly message: string };
}
