/**
 * Who is the same human: by the settings, by one issuer's one subject, and by the Unix users as whom somebody has signed
 * in. What is not certain counts as the same: nobody approves their own by an account that was not mapped.
 */
import type { Clock } from "../../base/clock.ts";
import { HUMAN_SEEN_MS, HUMANS_KNOWN_MAX, USER_NUMBERS_MAX } from "../../base/limits.ts";
import {
  type Human,
  type HumansOf,
  isBySubject,
  issuedAccount,
  type Login,
  type Person,
  unixAccount,
} from "../../model/human.ts";
import type { HumanRecordStore } from "../../store/human-records.ts";

interface Known extends Human {
  readonly seenMs: number;
}

/** This Unix user has signed in as that account. */
interface Tie {
  readonly uid: number;
  readonly account: string;
  readonly seenMs: number;
}

/** By account, so that a listing of a thousand held actions does not go through ten thousand humans for each. */
interface Index {
  /** By issuer and subject. */
  readonly accounts: ReadonlyMap<string, readonly string[]>;
  /** By Unix user. */
  readonly tied: ReadonlyMap<string, readonly string[]>;
  /** Names of the settings. */
  readonly people: ReadonlyMap<string, readonly string[]>;
}

/** Numbers of users of this host by name; undefined: there is none of that name, or nobody says. */
export interface Users {
  first(user: string): number | undefined;
  /** At this moment, and holding up nobody. */
  now(user: string): Promise<number | undefined>;
}

/** A tie is written anew when it is older: an hour is nothing of the month for which it is kept. */
const TIE_AGE_MS = 3_600_000;

export class People {
  readonly #store: HumanRecordStore;
  readonly #clock: Clock;
  readonly #users: Users;
  readonly #known = new Map<string, Known>();
  readonly #ties = new Map<string, Tie>();
  #logins: readonly Login[] = [];
  #people: readonly Person[] = [];
  /** By a user's name in the settings: every number that was theirs, and when that was seen last. */
  readonly #numbers = new Map<string, Map<number, number>>();
  /** Made when it is asked for, of what is known then. */
  #index: Index | undefined;

  constructor(parts: {
    readonly store: HumanRecordStore;
    readonly clock: Clock;
    readonly users: Users;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#users = parts.users;
  }

  /** What former daemons knew. */
  async restore(): Promise<void> {
    for (const [id, known] of await this.#store.all<Known>("human")) this.#known.set(id, known);
    for (const [id, tie] of await this.#store.all<Tie>("account")) this.#ties.set(id, tie);
    this.#index = undefined;
  }

  configure(logins: readonly Login[], people: readonly Person[]): void {
    this.#logins = logins;
    this.#index = undefined;
    this.#people = people;
    const users = this.#userNames();
    for (const user of this.#numbers.keys()) if (!users.includes(user)) this.#numbers.delete(user);
    for (const user of users) if (!this.#numbers.has(user)) this.#seen(user, this.#users.first(user));
  }

  /**
   * Users may be renamed, renumbered or deleted: who is called so now counts as well. What was theirs goes on to be, since what
   * it started may run on, and a name service may be silent. Called once a minute.
   */
  async renumber(): Promise<void> {
    for (const user of this.#userNames()) this.#seen(user, await this.#users.now(user));
  }

  /** As they were seen last. Undefined: never, not for a month, or their login is another one in the settings now. */
  find(account: string): Human | undefined {
    const found = this.#known.get(account);
    if (found === undefined || this.#clock.nowMs() - found.seenMs > HUMAN_SEEN_MS) return undefined;
    return this.#logins.some(({ name, url }) => name === found.login && url === found.issuer) ? found : undefined;
  }

  /** Accounts of whoever people call so, as they were seen last. */
  called(name: string): readonly string[] {
    const accounts = [...this.#known.values()].filter((known) => known.name === name).map(({ account }) => account);
    return accounts.filter((account) => this.find(account) !== undefined);
  }

  /** Whom the settings name so, users of this host by their numbers; undefined: nobody. */
  mappedAs(name: string): Person | undefined {
    const found = this.#people.find((person) => person.name === name);
    return found && { name, accounts: found.accounts.flatMap((account) => this.#numbered(account)) };
  }

  /** Somebody has signed in, or was looked at anew. */
  async met(human: Human): Promise<void> {
    const { account, login, name, issuer, sub, groups } = human;
    const known: Known = { account, login, name, issuer, sub, groups, seenMs: this.#clock.nowMs() };
    await this.#keep("human", this.#known, account, known);
  }

  /** Somebody acts as this Unix user. Root is nobody's alone. */
  async tie(uid: number, account: string): Promise<void> {
    if (uid === 0) return;
    const id = `${uid} ${account}`;
    const seenMs = this.#clock.nowMs();
    if (seenMs - (this.#ties.get(id)?.seenMs ?? 0) < TIE_AGE_MS) return;
    await this.#keep("account", this.#ties, id, { uid, account, seenMs });
  }

  readonly humansOf: HumansOf = (accounts) => new Set(accounts.flatMap((account) => this.#humansOfOne(account)));

  #humansOfOne(account: string): readonly string[] {
    if (!account.startsWith("unix:")) return this.#named(account);
    const tied = this.#indexed().tied.get(account) ?? [];
    const humans = [...this.#mapped([account]), ...tied.flatMap((one) => this.#named(one))];
    return humans.length === 0 ? [account] : humans;
  }

  /** Of an account that an issuer gave. */
  #named(account: string): readonly string[] {
    const issued = this.#issued(account);
    const aliases = this.#indexed().accounts.get(issued) ?? [];
    const mapped = this.#mapped([account, issued, ...aliases, ...this.#bySubject(issued)]);
    return mapped.length === 0 ? [issued] : mapped;
  }

  #mapped(accounts: readonly string[]): readonly string[] {
    const { people } = this.#indexed();
    return [...new Set(accounts.flatMap((account) => people.get(account) ?? []))];
  }

  #indexed(): Index {
    this.#index ??= {
      accounts: grouped(
        [...this.#known.values()].map(({ account, issuer, sub }) => [issuedAccount(issuer, sub), account]),
      ),
      tied: grouped([...this.#ties.values()].map(({ uid, account }) => [unixAccount(uid), account])),
      people: grouped(
        this.#people.flatMap(({ name, accounts }) =>
          accounts.flatMap((account) => this.#numbered(account)).map((account) => [account, name]),
        ),
      ),
    };
    return this.#index;
  }

  /** The same for every login of one issuer; an account whose `sub` nobody knows stands for itself. */
  #issued(account: string): string {
    const known = this.#known.get(account);
    if (known !== undefined) return issuedAccount(known.issuer, known.sub);
    const login = this.#logins.find((one) => isBySubject(one) && account.startsWith(`${one.name}:`));
    return login === undefined ? account : issuedAccount(login.url, account.slice(login.name.length + 1));
  }

  /** How logins would write it who have not seen them yet. */
  #bySubject(issued: string): readonly string[] {
    return this.#logins.flatMap((login) => {
      const { name, url } = login;
      return isBySubject(login) && issued.startsWith(`${url} `) ? [`${name}:${issued.slice(url.length + 1)}`] : [];
    });
  }

  /** "unix:ada" by its numbers. A user whom the host has never known is nobody yet. */
  #numbered(account: string): readonly string[] {
    const user = userOf(account);
    return user === undefined ? [account] : [...(this.#numbers.get(user)?.keys() ?? [])].map(unixAccount);
  }

  #userNames(): readonly string[] {
    return this.#people.flatMap(({ accounts }) => accounts.flatMap((account) => userOf(account) ?? []));
  }

  /** The one that was theirs longest ago makes room. */
  #seen(user: string, uid: number | undefined): void {
    if (uid === undefined) return;
    const numbers = this.#numbers.get(user) ?? new Map<number, number>();
    const nowMs = this.#clock.nowMs();
    numbers.delete(uid);
    numbers.set(uid, nowMs);
    for (const [other, seenMs] of numbers) {
      if (numbers.size > USER_NUMBERS_MAX || nowMs - seenMs > HUMAN_SEEN_MS) numbers.delete(other);
    }
    this.#numbers.set(user, numbers);
    this.#index = undefined;
  }

  /** Whoever was not seen for long makes room, and the oldest where there is none. */
  async #keep<T extends { readonly seenMs: number }>(
    kind: "human" | "account",
    all: Map<string, T>,
    id: string,
    value: T,
  ): Promise<void> {
    await this.#store.put(kind, id, value);
    this.#index = undefined;
    all.delete(id);
    all.set(id, value);
    const oldest = [...all].filter(([, { seenMs }]) => value.seenMs - seenMs > HUMAN_SEEN_MS).map(([one]) => one);
    if (all.size - oldest.length > HUMANS_KNOWN_MAX) {
      const [first] = [...all].toSorted(([, a], [, b]) => a.seenMs - b.seenMs);
      if (first !== undefined) oldest.push(first[0]);
    }
    for (const one of oldest) {
      all.delete(one);
      await this.#store.remove(kind, one);
    }
  }
}

/** Of "unix:ada"; undefined: it is a number, or no user of this host. */
function userOf(account: string): string | undefined {
  const [, user] = /^unix:(.*)$/s.exec(account) ?? [];
  return user === undefined || /^[0-9]+$/.test(user) ? undefined : user;
}

function grouped(pairs: readonly (readonly [string, string])[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const [key, value] of pairs) groups.set(key, [...(groups.get(key) ?? []), value]);
  return groups;
}
