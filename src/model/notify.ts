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
  /** Of Teams: the only tenant whose users count. */
  readonly tenant?: string;
  readonly on: readonly Moment[];
  /** Only what members of one of these may answer; empty: all. */
  readonly groups: readonly string[];
  readonly show: "ids" | "statements";
  /** PEM file of roots, instead of the system's. */
  readonly ca?: string;
  /** Unix users by account: "slack:T123/U456", "teams:TENANT/OBJECT", "webhook:NAME/USER". Empty: it takes no answers. */
  readonly answers: Readonly<Record<string, string>>;
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
