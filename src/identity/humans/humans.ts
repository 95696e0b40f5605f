/**
 * Humans: who signs in, who they are when they show a session or a token, which roles that gives them, and what the trail
 * hears of it. Knows no routes and no holds.
 */
import type { Clock } from "../../base/clock.ts";
import { UserError } from "../../base/errors.ts";
import { networkOf } from "../../base/network.ts";
import { type AuditEvent, type EventFields, processFields } from "../../model/event.ts";
import {
  type Acting,
  type Human,
  haveCommon,
  issuedAccount,
  type Login,
  type Person,
  type RoleGroups,
  unixAccount,
  unixUid,
} from "../../model/human.ts";
import { ANSWERING, GIVEN_ROLES, type Role } from "../../model/role.ts";
import type { HumanRecordStore } from "../../store/human-records.ts";
import { type ApiToken, ApiTokens, type NewApiToken } from "./api-tokens.ts";
import { type DelegationParts, Delegations, type Lender, type Right } from "./delegations.ts";
import { type BrokenGlass, Glass, type Reviewer } from "./glass.ts";
import type { LoginWorld, SignedIn } from "./login-client.ts";
import { People, type Users } from "./people.ts";
import { kindOf } from "./secrets.ts";
import { type HumanSession, HumanSessions, over } from "./sessions.ts";
import { type Beginner, type DeviceSignIn, type SamlSignIn, SignIns } from "./sign-ins.ts";

export interface HumansParts extends LoginWorld, Pick<DelegationParts, "bootNs" | "bootId" | "withdrawLent"> {
  readonly store: HumanRecordStore;
  readonly clock: Clock;
  readonly emit: (event: AuditEvent) => void;
  readonly users: Users;
  /** Who logged in on the host before any sudo; undefined: nobody, or it is not known. */
  readonly loginUidOf: (pid: number) => number | undefined;
  /** The groups of a user of this host; none: nobody knows them. Never rejects. */
  readonly groupsOf: (uid: number) => Promise<ReadonlySet<string>>;
  /** Takes back what these have approved; how many times. */
  readonly withdraw: (isTheirs: (vote: GivenBy) => boolean, reason: string) => number;
}

/** Who approved something: by which accounts, and by which session or token of theirs. */
interface GivenBy {
  readonly accounts: readonly string[];
  readonly by?: string;
}

export interface HumanConfiguration {
  readonly logins: readonly Login[];
  readonly people: readonly Person[];
  readonly roles: RoleGroups;
}

/** The process that asks; for the trail, and because its user is tied to whom it signs in. */
export interface Asking {
  /** Undefined: it asks over the network. */
  readonly uid: number | undefined;
  readonly pid: number | undefined;
  /** The human whose session or API token it shows. */
  readonly acting?: Acting;
  /** The address, of who asks over the network. */
  readonly source?: string;
}

/** What somebody gets who has signed in. The secret is told once. */
export interface Begun {
  readonly secret: string;
  readonly session: HumanSession;
  readonly human: Human;
  readonly roles: ReadonlySet<Role>;
}

/** How much has ended. `approvals`: those that count no more, by delegations too. */
export interface Revoked {
  readonly sessions: number;
  readonly tokens: number;
  readonly delegations: number;
  readonly approvals: number;
}

export class Humans {
  readonly people: People;
  readonly delegations: Delegations;
  readonly #parts: HumansParts;
  readonly #signIns: SignIns;
  readonly #sessions: HumanSessions;
  readonly #tokens: ApiTokens;
  readonly #glass: Glass;
  #logins: readonly Login[] = [];
  #roles: RoleGroups = {};

  constructor(parts: HumansParts) {
    const { store, clock } = parts;
    this.#parts = parts;
    this.people = new People(parts);
    this.#signIns = new SignIns(parts);
    this.#tokens = new ApiTokens(parts);
    this.#glass = new Glass({ store, clock, humansOf: this.people.humansOf });
    this.delegations = new Delegations({
      ...{ ...parts, humansOf: this.people.humansOf },
      rightOf: (lender, group) => this.#rightOf(lender, group),
    });
    this.#sessions = new HumanSessions({
      ...{ store, clock },
      loginOf: (name) => this.#logins.find((login) => login.name === name),
      find: (session) => this.#whose(session),
      met: (human) => this.people.met(human),
      refresh: (name, token, before) => this.#signIns.refresh(name, token, before),
      ended: (session, why, how) => {
        this.#tellEnd(session, why, {});
        if (how === "disowned") this.#withdraw(session.account, why);
      },
    });
  }

  async restore(): Promise<void> {
    const all = [this.people, this.#sessions, this.#tokens, this.#glass, this.delegations];
    for (const part of all) await part.restore();
  }

  configure({ logins, people, roles }: HumanConfiguration): void {
    this.#logins = logins;
    this.#roles = roles;
    this.#signIns.configure(logins);
    this.people.configure(logins, people);
  }

  logins(): readonly Login[] {
    return this.#logins;
  }

  beginCode(login: string | undefined, redirectUri: string, asking: Asking) {
    return this.#signIns.beginCode(login, redirectUri, whoBegins(asking));
  }

  beginSaml(login: string | undefined, asking: Asking): Promise<SamlSignIn> {
    return this.#signIns.beginSaml(login, whoBegins(asking));
  }

  /** Throws as SignIns.endSaml, and LOGIN_NO_ROLE. */
  endSaml(response: string, relayState: string, asking: Asking): Promise<Begun> {
    return this.#begin(() => this.#signIns.endSaml(response, relayState, whoBegins(asking)), asking);
  }

  beginDevice(login: string | undefined, asking: Asking): Promise<DeviceSignIn> {
    return this.#signIns.beginDevice(login, whoBegins(asking));
  }

  /** `flow`: as `beginCode` gave it; who is known by user or human needs none. Throws as SignIns.endCode, and LOGIN_NO_ROLE. */
  endCode(query: URLSearchParams, asking: Asking, flow?: string): Promise<Begun> {
    return this.#begin(() => this.#signIns.endCode(query, flow, whoBegins(asking)), asking);
  }

  /** Undefined: not yet. */
  async endDevice(flow: string, asking: Asking): Promise<Begun | undefined> {
    const waiting = Symbol("waiting");
    try {
      return await this.#begin(async () => {
        const signedIn = await this.#signIns.endDevice(flow, whoBegins(asking));
        if (signedIn === undefined) throw waiting;
        return signedIn;
      }, asking);
    } catch (error) {
      if (error === waiting) return undefined;
      throw error;
    }
  }

  /**
   * Who shows this secret by a process of this user: a session is shown by the user who signed in and by no other.
   * Undefined: nobody that is known. Throws HUMAN_SESSION_OVER, LOGIN_UNREACHABLE.
   */
  async authenticate(secret: string, uid: number | undefined): Promise<Acting | undefined> {
    switch (kindOf(secret)) {
      case "session":
        return this.#bySession(secret, uid);
      case "token":
        return this.#withToken(await this.#tokens.use(secret));
      default:
        return undefined;
    }
  }

  /**
   * Whom a session or API token makes by now, which is no use of it; undefined: it has ended. Those whose time is up are ended
   * by `sweep`.
   */
  now({ kind, id }: Acting["by"]): Acting | undefined {
    if (kind === "token") return this.#withToken(this.#tokens.find(id));
    const session = this.#sessions.find(id);
    const human = session && this.#whose(session);
    return human && this.#withSession(session, human);
  }

  /** As a process of this host: its user is one with them from now on, and so is who logged in before sudo. */
  async acts({ account }: Human, { uid, pid }: Asking): Promise<void> {
    const users = [uid, pid === undefined ? undefined : this.#parts.loginUidOf(pid)];
    for (const user of users) if (user !== undefined) await this.people.tie(user, account);
  }

  /** Who was seen by that account within a month, and what their groups give by now; undefined: nobody. */
  known(account: string): { readonly human: Human; readonly roles: ReadonlySet<Role> } | undefined {
    const human = this.people.find(account);
    return human && { human, roles: this.#rolesOf(human) };
  }

  sessions(): readonly (HumanSession & { readonly human: Human | undefined })[] {
    return this.#sessions.list().map((session) => ({ ...session, human: this.#whose(session) }));
  }

  /** Ends one session; false: there is none of that id. */
  async logOut(id: string, by: EventFields): Promise<boolean> {
    const session = this.#sessions.find(id);
    if (session === undefined || !(await this.#sessions.end(id))) return false;
    this.#tellEnd(session, "they signed out", by);
    return true;
  }

  /**
   * Ends all sessions, tokens and delegations of whoever has this account or name, by all of their accounts, or the one session
   * of this id; what they have approved counts no more. Throws HUMAN_UNKNOWN.
   */
  async revoke(who: string, by: EventFields): Promise<Revoked> {
    const { humansOf } = this.people;
    const meant = humansOf([who, ...this.people.called(who)]);
    const isMeant = (account: string) => haveCommon(humansOf([account]), meant);
    const sessions = this.#sessions.list().filter(({ id, account }) => id === who || isMeant(account));
    const tokens = this.#tokens.list().filter(({ account }) => isMeant(account));
    const ending: Promise<void>[] = [
      ...sessions.map(async (session) => {
        if (await this.#sessions.end(session.id)) this.#tellEnd(session, "it was revoked", by);
      }),
      ...tokens.map((token) => this.#revoke(token, by)),
    ];
    // whoever was let in before has approved by then, and whatever the disk says of the ends
    const ended = await Promise.allSettled(ending);
    const isTheirs = (vote: GivenBy) => vote.by === who || vote.accounts.some(isMeant);
    const own = this.#parts.withdraw(isTheirs, "whoever gave it was revoked");
    const lent = await this.delegations.endOf(isMeant, "an account of it was revoked", by);
    for (const end of ended) if (end.status === "rejected") throw end.reason;
    const approvals = own + lent.approvals;
    const { delegations } = lent;
    if (sessions.length + tokens.length + delegations + approvals > 0)
      return { sessions: sessions.length, tokens: tokens.length, delegations, approvals };
    const message =
      "Cannot find that human: nobody of that name or account has a session, token, delegation or approval";
    throw new UserError("HUMAN_UNKNOWN", message, "See who has: sallyport humans, sallyport tokens");
  }

  tokens(): readonly (ApiToken & { readonly human: Human | undefined })[] {
    return this.#tokens.list().map((token) => ({ ...token, human: this.#whose(token) }));
  }

  /** Throws API_TOKEN_SESSION, API_TOKEN_ROLES, API_TOKEN_END, API_TOKENS_FULL. */
  async makeToken(request: NewApiToken, by: Acting | undefined, fields: EventFields) {
    const { human } = requireSession(by, "API_TOKEN_SESSION", "make a token");
    const made = await this.#tokens.make(request, human, this.#rolesOf(human)); // not what broken glass gives
    const { id, name, roles } = made.token;
    const about = { ...fields, token: id, roles: roles.join(" ") };
    this.#say("human.token.made", `${human.name} made the API token ${name}`, about);
    return made;
  }

  /** False: there is none of that id. */
  async revokeToken(id: string, by: EventFields): Promise<boolean> {
    const token = this.#tokens.find(id);
    if (token === undefined) return false;
    try {
      await this.#revoke(token, by);
    } finally {
      this.#parts.withdraw((vote) => vote.by === token.id, "the API token that gave it was revoked");
    }
    return true;
  }

  /** Throws BREAK_GLASS_SESSION, BREAK_GLASS_FULL. */
  async breakGlass(reason: string, by: Acting | undefined, fields: EventFields): Promise<BrokenGlass> {
    const { human, id } = requireSession(by, "BREAK_GLASS_SESSION", "break the glass");
    const broken = await this.#glass.break(human, reason);
    // told before it counts: nobody is admin by it unseen
    const about = { ...fields, glass: broken.id, reason, until: new Date(broken.untilMs).toISOString() };
    this.#say("human.glass.broken", `${human.name} has broken the glass: ${reason}`, about);
    await this.#sessions.setGlass(id, { id: broken.id, untilMs: broken.untilMs });
    return broken;
  }

  brokenGlass(): readonly BrokenGlass[] {
    return this.#glass.list();
  }

  /** Throws as Glass.review. */
  async reviewGlass(id: string, comment: string, reviewer: Reviewer, fields: EventFields): Promise<BrokenGlass> {
    const reviewed = await this.#glass.review(id, comment, reviewer);
    const message = `${reviewer.name} has reviewed why ${reviewed.name} broke the glass`;
    this.#say("human.glass.reviewed", message, { ...fields, glass: id, comment });
    return reviewed;
  }

  /** By their groups; broken glass makes nobody one here. */
  isAdmin(human: Human): boolean {
    return this.#rolesOf(human).has("admin");
  }

  /** Ends what is over. Called every few seconds. */
  async sweep(): Promise<void> {
    this.#signIns.expire();
    await this.#sessions.sweep();
    await this.#tokens.sweep();
    const nowMs = this.#parts.clock.nowMs();
    for (const { id, account, glass } of this.#sessions.list()) {
      if (glass === undefined || glass.untilMs > nowMs) continue;
      await this.#sessions.setGlass(id, undefined);
      const who = this.people.find(account)?.name ?? account;
      this.#say("human.glass.over", `${who} is no admin any more`, { human: account, glass: glass.id });
    }
    await this.delegations.sweep();
  }

  close(): void {
    this.#signIns.close();
  }

  async #begin(signIn: () => Promise<SignedIn>, asking: Asking): Promise<Begun> {
    const asked = { ...processFields(asking), ...(asking.source === undefined ? {} : { source: asking.source }) };
    try {
      const signedIn = await signIn();
      const { human } = signedIn;
      const roles = this.#rolesOf(human);
      // Also who has lost every role: their API tokens count by the groups that are known. Strangers are not remembered.
      if (roles.size > 0 || this.people.find(human.account) !== undefined) await this.people.met(human);
      if (roles.size === 0) {
        const message = `Cannot sign in as ${human.name}: the settings give no role to any of their groups`;
        throw new UserError("LOGIN_NO_ROLE", message, "Give one of them a role: roles in the settings", {
          exitCode: 4,
        });
      }
      await this.acts(human, asking);
      const { secret, session } = await this.#sessions.begin(signedIn, asking.uid);
      const about = { ...humanFields(human), session: session.id, roles: [...roles].join(" "), ...asked };
      this.#say("human.login", `${human.name} signed in by ${human.login}`, about);
      return { secret, session, human, roles };
    } catch (error) {
      // whoever names a flow that there is not has not signed in anywhere, and could fill the trail with it
      const isTold = error instanceof UserError && error.code !== "LOGIN_FLOW";
      if (isTold) this.#say("human.refused", error.message, { code: error.code, ...asked });
      throw error;
    }
  }

  async #bySession(secret: string, uid: number | undefined): Promise<Acting | undefined> {
    const found = await this.#sessions.use(secret, uid);
    if (found === undefined) return undefined;
    const { session, human } = found;
    const acting = this.#withSession(session, human);
    if (acting.roles.size > 0) return acting;
    await this.#sessions.end(session.id);
    const why = "their groups give no role any more";
    this.#tellEnd(session, why, {});
    this.#withdraw(session.account, why);
    throw over();
  }

  #withSession({ id, uid, glass }: HumanSession, human: Human): Acting {
    const roles = this.#rolesOf(human);
    const by = { kind: "session", id, uid } as const;
    // who has the role no more keeps nothing of what it gave
    const isBroken = glass !== undefined && roles.has("break-glass") && glass.untilMs > this.#parts.clock.nowMs();
    if (!isBroken) return { human, roles, by };
    return { human, roles: new Set([...roles, "admin"]), by, glassUntilMs: glass.untilMs };
  }

  #withToken(token: ApiToken | undefined): Acting | undefined {
    if (token === undefined) return undefined;
    const human = this.#whose(token);
    if (human === undefined) return undefined;
    const may = this.#rolesOf(human);
    return { human, roles: new Set(token.roles.filter((role) => may.has(role))), by: { kind: "token", id: token.id } };
  }

  /** Undefined: nobody's that is known. */
  #whose({ account, issued }: { readonly account: string; readonly issued: string }): Human | undefined {
    const human = this.people.find(account);
    return human && issuedAccount(human.issuer, human.sub) === issued ? human : undefined;
  }

  #rolesOf({ groups }: Human): ReadonlySet<Role> {
    return new Set(GIVEN_ROLES.filter((role) => this.#roles[role]?.some((group) => groups.includes(group)) ?? false));
  }

  /** What a lender has at this moment of what they lend. Root without a session is admin for good. */
  async #rightOf({ account, accounts, as }: Lender, group: string): Promise<Right> {
    const uid = unixUid(account);
    if (uid !== undefined) {
      if (as === "admin") return "held";
      const groups = await this.#parts.groupsOf(uid);
      if (groups.size === 0) return "unknown";
      return groups.has(group) ? "held" : "lost";
    }
    const human = this.people.find(account);
    if (human === undefined || !accounts.includes(issuedAccount(human.issuer, human.sub))) return "unknown";
    const mayAnswer = ANSWERING.some((role) => this.#rolesOf(human).has(role));
    const has = as === "admin" ? this.isAdmin(human) : mayAnswer && human.groups.includes(group);
    return has ? "held" : "lost";
  }

  async #revoke(token: ApiToken, by: EventFields): Promise<void> {
    await this.#tokens.revoke(token.id);
    const message = `The API token ${token.name} of ${token.account} was revoked`;
    this.#say("human.token.revoked", message, { ...by, of: token.account, token: token.id });
  }

  /** Of this human by all of their accounts. */
  #withdraw(account: string, reason: string): void {
    const { humansOf } = this.people;
    const meant = humansOf([account]);
    this.#parts.withdraw(({ accounts }) => haveCommon(humansOf(accounts), meant), reason);
  }

  #tellEnd({ id, account }: HumanSession, reason: string, by: EventFields): void {
    const who = this.people.find(account)?.name ?? account;
    this.#say("human.logout", `The session of ${who} has ended: ${reason}`, {
      ...by,
      of: account,
      session: id,
      reason,
    });
  }

  #say(kind: string, message: string, fields: EventFields): void {
    this.#parts.emit({ atMs: this.#parts.clock.nowMs(), kind, message, fields });
  }
}

/** A user of the host begins and ends a sign-in; over the network a human does, or a stranger. */
function whoBegins({ uid, acting, source = "" }: Asking): Beginner {
  if (uid !== undefined) return { account: unixAccount(uid) };
  return acting === undefined ? { network: networkOf(source) } : { account: acting.human.account };
}

/** Who it is, for an event. */
export function humanFields({ account, name, login }: Human): EventFields {
  return { human: account, humanName: name, login };
}

/** A token makes no tokens and breaks no glass: a person in front of their own session does. */
function requireSession(by: Acting | undefined, code: string, what: string) {
  if (by?.by.kind === "session") return { human: by.human, id: by.by.id };
  throw new UserError(code, `Cannot ${what} without having signed in`, "Sign in first: sallyport login", {
    exitCode: 4,
  });
}
