/**
 * Who is the same human: by the settings, by one issuer's one subject, and by the Unix users as whom somebody has signed
 * in. What is not certain counts as the same: nobody approves their own by an account that was not mapped.
 */
import type { Clock } from "../../base/clock.ts";
import { HUMAN_SEEN_MS, HUMANS_KNOWN_MAX } from "../../base/limits.ts";
import {
  type Human,
  type HumansOf,
  issuedAccount,
  type Login,
  NO_UID,
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

/** A tie is written anew when it is older: an hour is nothing of the month for which it is kept. */
const TIE_AGE_MS = 3_600_000;

export class People {
  readonly #store: HumanRecordStore;
  readonly #clock: Clock;
  readonly #uidOf: (user: string) => number | undefined;
  readonly #known = new Map<string, Known>();
  readonly #ties = new Map<string, Tie>();
  #logins: readonly Login[] = [];
  #people: readonly Person[] = [];
  /** Made when it is asked for, of what is known then. */
  #index: Index | undefined;

  constructor(parts: {
    readonly store: HumanRecordStore;
    readonly clock: Clock;
    readonly uidOf: (user: string) => number | undefined;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#uidOf = parts.uidOf;
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
    this.#people = people.map(({ name, accounts }) => ({ name, accounts: accounts.map((one) => this.#numbered(one)) }));
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

  /** Somebody has signed in, or was looked at anew. */
  async met(human: Human): Promise<void> {
    const { account, login, name, issuer, sub, groups } = human;
    const known: Known = { account, login, name, issuer, sub, groups, seenMs: this.#clock.nowMs() };
    await this.#keep("human", this.#known, account, known);
  }

  /** Somebody acts as this Unix user. Root is nobody's alone, and what comes over the network is no user's. */
  async tie(uid: number, account: string): Promise<void> {
    if (uid === 0 || uid === NO_UID) return;
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
      people: grouped(this.#people.flatMap(({ name, accounts }) => accounts.map((account) => [account, name]))),
    };
    return this.#index;
  }

  /** The same for every login of one issuer; an account whose `sub` nobody knows stands for itself. */
  #issued(account: string): string {
    const known = this.#known.get(account);
    if (known !== undefined) return issuedAccount(known.issuer, known.sub);
    const login = this.#logins.find(({ name, subject }) => subject === "sub" && account.startsWith(`${name}:`));
    return login === undefined ? account : issuedAccount(login.url, account.slice(login.name.length + 1));
  }

  /** How logins would write it who have not seen them yet. */
  #bySubject(issued: string): readonly string[] {
    return this.#logins.flatMap(({ name, url, subject }) =>
      subject === "sub" && issued.startsWith(`${url} `) ? [`${name}:${issued.slice(url.length + 1)}`] : [],
    );
  }

  /** "unix:ada" by its number. A user whom the host does not know is nobody yet. */
  #numbered(account: string): string {
    const [, user] = /^unix:(.*)$/s.exec(account) ?? [];
    if (user === undefined || /^[0-9]+$/.test(user)) return account;
    const uid = this.#uidOf(user);
    return uid === undefined ? account : unixAccount(uid);
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

function grouped(pairs: readonly (readonly [string, string])[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const [key, value] of pairs) groups.set(key, [...(groups.get(key) ?? []), value]);
  return groups;
}
