/** Humans who sign in: by which issuers, who is the same as whom, and what their groups give. Plain values. */
import type { Issuer } from "./issuer.ts";
import type { Role } from "./role.ts";
import type { SecretRef } from "./sink.ts";

/** An issuer at which humans sign in, as the settings describe it. */
export type Login = OidcLogin | SamlLogin;

interface LoginTerms {
  readonly name: string;
  /** What it calls itself, character by character: `iss` of its tokens, or the entity id of a SAML identity provider. */
  readonly url: string;
  /** Which claim names groups: each is known as "login:group"; with `names`, also under the plain names there. */
  readonly groups: Issuer["groups"];
  /** The claim that says who it is for good, and the one that people read. */
  readonly subject: string;
  readonly displayName: string;
  /** A session ends when it was not used for so long, and after so long whatever is done with it. */
  readonly idleMs: number;
  readonly lastsMs: number;
}

export interface OidcLogin extends LoginTerms {
  readonly kind: "oidc";
  readonly clientId: string;
  /** Absent: the client is a public one. */
  readonly clientSecret?: SecretRef;
  /** Signatures of its ID tokens that are taken. */
  readonly algorithms: readonly string[];
  readonly scopes: readonly string[];
  /** Roots in PEM, instead of the system's. */
  readonly ca?: string;
}

/** Attributes are its claims, under their names there; NAME_ID is the subject. */
export interface SamlLogin extends LoginTerms {
  readonly kind: "saml";
  /** Where browsers are sent to sign in. */
  readonly signOn: string;
  /** Of the keys that it signs with, in PEM, one each. */
  readonly certificates: readonly string[];
  /** What this daemon calls itself there. */
  readonly audience: string;
  /** Where browsers bring its responses to: "http://127.0.0.1:7420/saml". */
  readonly recipient: string;
  readonly clockSkewMs: number;
}

/** The subject of a SAML assertion among its attributes; one that calls itself so does not count. */
export const NAME_ID = "NameID";

/** Somebody as a login knows them. */
export interface Human {
  /** "corp:ada@example.com": the login's name and its subject. */
  readonly account: string;
  readonly login: string;
  readonly name: string;
  /** The issuer's URL and its `sub` (or NameID): the same for two logins of one issuer. */
  readonly issuer: string;
  readonly sub: string;
  /** As rules name them: "corp:sre", and "sre" where the settings say so. */
  readonly groups: readonly string[];
}

/** A human who acts, by a session or by an API token of theirs. */
export interface Acting {
  readonly human: Human;
  readonly roles: ReadonlySet<Role>;
  /** Of the session or token. `uid`: the only user who may show this session's secret; undefined: it is for the network. */
  readonly by:
    | { readonly kind: "session"; readonly id: string; readonly uid: number | undefined }
    | { readonly kind: "token"; readonly id: string };
  /** Until then they have broken the glass. */
  readonly glassUntilMs?: number;
}

/** By what somebody acts, as events have it: "token 70cc0e". It is no secret. */
export function shownAs({ by }: Acting): string {
  return `${by.kind} ${by.id}`;
}

/** One human of several accounts: "corp:ada@example.com", "unix:ada", "unix:2001", "slack:T123/U456". */
export interface Person {
  readonly name: string;
  readonly accounts: readonly string[];
  /** As which they answer from chats and webhooks, beside those that are known of their other accounts. */
  readonly groups?: readonly string[];
}

/** By role, the groups of humans that have it. */
export type RoleGroups = Readonly<Partial<Record<Role, readonly string[]>>>;

/** How the kernel and rows say that something is of no user. Source: chown(2), pam_loginuid(8). */
export const NO_UID = 4_294_967_295;

/** Every human that somebody known by these accounts may be; two share one exactly if they may be the same. */
export type HumansOf = (accounts: readonly string[]) => ReadonlySet<string>;

export function haveCommon(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return [...some].some((one) => others.has(one));
}

/** A Unix user as an account. */
export function unixAccount(uid: number): string {
  return `unix:${uid}`;
}

/** Whether its accounts are called by what the issuer's subject is. */
export function isBySubject({ kind, subject }: Login): boolean {
  return subject === (kind === "oidc" ? "sub" : NAME_ID);
}

/** The user of such an account; undefined: it is none. */
export function unixUid(account: string): number | undefined {
  const [, uid] = /^unix:([0-9]{1,10})$/.exec(account) ?? [];
  return uid === undefined ? undefined : Number(uid);
}

/** Whoever an issuer calls so, by whatever login. */
export function issuedAccount(issuer: string, sub: string): string {
  return `${issuer} ${sub}`;
}
