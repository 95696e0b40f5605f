/** What the control side asks about humans: signing in, sessions, API tokens, broken glass. Plain values, no behaviour. */
import type { Role } from "../model/role.ts";
import type { Caller } from "./ports.ts";

export interface HumanPorts {
  /** By which somebody may sign in. */
  logins(): Promise<readonly LoginListing[]>;
  /** Where the browser has to go. Throws LOGIN_UNKNOWN, LOGIN_KIND, SIGN_INS_FULL, LOGIN_UNREACHABLE. */
  beginCode(request: { readonly login?: string; readonly redirectUri: string }, caller: Caller): Promise<CodeSignIn>;
  /** Throws LOGIN_FLOW, LOGIN_REFUSED, LOGIN_UNREACHABLE, LOGIN_CLAIMS, LOGIN_NO_ROLE. */
  endCode(brought: BroughtBack, caller: Caller): Promise<SessionBegun>;
  /** Throws LOGIN_UNKNOWN, LOGIN_KIND, SIGN_INS_FULL. */
  beginSaml(request: { readonly login?: string }, caller: Caller): Promise<SamlSignIn>;
  /** Throws LOGIN_FLOW, LOGIN_REFUSED, LOGIN_CLAIMS, LOGIN_NO_ROLE. */
  endSaml(brought: SamlBroughtBack, caller: Caller): Promise<SessionBegun>;
  /** Throws as `beginCode`. */
  beginDevice(request: { readonly login?: string }, caller: Caller): Promise<DeviceCode>;
  /** Waits a while for the person; undefined: not yet. Throws as `endCode`. */
  endDevice(flow: string, caller: Caller): Promise<SessionBegun | undefined>;
  /** Ends the session that the caller shows. False: they show none. */
  logOut(caller: Caller): Promise<boolean>;
  who(caller: Caller): Promise<Who>;
  sessions(): Promise<readonly HumanSessionListing[]>;
  /** By account, name or session. Throws HUMAN_UNKNOWN. */
  revoke(who: string, caller: Caller): Promise<HumanRevoked>;
  /** The caller's own; admins and auditors see all. */
  tokens(caller: Caller): Promise<readonly ApiTokenListing[]>;
  /** Throws API_TOKEN_SESSION, API_TOKEN_ROLES, API_TOKEN_END, API_TOKENS_FULL. */
  makeToken(request: ApiTokenRequest, caller: Caller): Promise<ApiTokenListing & { readonly secret: string }>;
  /** The caller's own; of an admin any. False: there is none. */
  revokeToken(id: string, caller: Caller): Promise<boolean>;
  /** Throws BREAK_GLASS_SESSION, BREAK_GLASS_FULL. */
  breakGlass(reason: string, caller: Caller): Promise<BrokenGlassListing>;
  /** Newest first. `all`: also what was reviewed. */
  brokenGlass(query: { readonly all: boolean }): Promise<readonly BrokenGlassListing[]>;
  /** Throws BREAK_GLASS_UNKNOWN, BREAK_GLASS_REVIEWED, BREAK_GLASS_OWN. */
  reviewGlass(id: string, comment: string, caller: Caller): Promise<BrokenGlassListing>;
}

/** How much has ended. `approvals`: of theirs, and under those delegations, that count no more. */
export interface HumanRevoked {
  readonly sessions: number;
  readonly tokens: number;
  readonly delegations: number;
  readonly approvals: number;
}

export interface CodeSignIn {
  /** To be shown at its end by who has nothing else to show. */
  readonly flow: string;
  readonly login: string;
  readonly url: string;
  readonly endsMs: number;
}

/** What the issuer added to the redirect. Source: RFC 6749, section 4.1.2; RFC 9207. */
export interface BroughtBack {
  readonly code: string;
  readonly state: string;
  readonly iss?: string;
  /** Of the CodeSignIn; not the issuer's. */
  readonly flow?: string;
}

export interface LoginListing {
  readonly name: string;
  readonly kind: "oidc" | "saml";
  /** Of SAML: the page of this host to which its provider sends browsers, "http://127.0.0.1:7420/saml". */
  readonly recipient?: string;
}

export interface SamlSignIn extends Omit<CodeSignIn, "flow"> {
  /** What the response has to come back with. */
  readonly relayState: string;
}

/** What the browser posted. Source: SAML 2.0 bindings, section 3.5. */
export interface SamlBroughtBack {
  /** Base64. */
  readonly response: string;
  readonly relayState: string;
}

export interface DeviceCode {
  readonly flow: string;
  readonly login: string;
  /** What the person types in at `url`; `completeUrl` holds it already. */
  readonly code: string;
  readonly url: string;
  readonly completeUrl?: string;
  readonly endsMs: number;
}

export interface SessionBegun extends Who {
  /** Told once; shown as "Authorization: Bearer …". */
  readonly secret: string;
}

export interface Who {
  /** "Ada Lovelace", or the user of the host: "root", "ada". */
  readonly name: string;
  readonly roles: readonly Role[];
  /** Of the process that asks; absent: it came over the network. */
  readonly uid?: number;
  /** Of a human who has signed in. */
  readonly account?: string;
  readonly groups?: readonly string[];
  readonly by?: "session" | "token";
  readonly endsMs?: number;
  readonly glassUntilMs?: number;
}

export interface HumanSessionListing {
  readonly id: string;
  readonly account: string;
  readonly name: string;
  /** Whose processes show it; absent: it is shown over the network. */
  readonly uid?: number;
  readonly beganMs: number;
  readonly usedMs: number;
  readonly endsMs: number;
  readonly glassUntilMs?: number;
}

export interface ApiTokenRequest {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly forMs: number;
}

export interface ApiTokenListing {
  readonly id: string;
  readonly name: string;
  readonly account: string;
  readonly roles: readonly Role[];
  readonly madeMs: number;
  readonly endsMs: number;
  readonly usedMs?: number;
}

export interface BrokenGlassListing {
  readonly id: string;
  readonly account: string;
  readonly name: string;
  readonly reason: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly review?: { readonly by: string; readonly atMs: number; readonly comment: string };
}
