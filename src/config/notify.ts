/** `notify` of the settings as plain values: what belongs to which kind of target, and whose answers count. Reads no file. */
import { dirname, resolve } from "node:path";
import type { ApiListener } from "../model/api-listener.ts";
import type { Person } from "../model/human.ts";
import {
  type AccountPlace,
  accountsBegin,
  type Moment,
  type NotifyKind,
  type NotifySettings,
  type NotifyTarget,
} from "../model/notify.ts";
import type { SecretRef } from "../model/sink.ts";
import { placed } from "./events.ts";
import { checkDistinct, invalid, record } from "./meaning.ts";
import { type Finding, formatPath, type Path } from "./problems.ts";
import { readLoopback } from "./servers.ts";

export interface RawNotify {
  readonly listen?: string;
  readonly targets?: readonly RawTarget[];
}

interface RawTarget {
  readonly name: string;
  readonly kind: NotifyKind;
  readonly url: SecretRef;
  readonly secret?: SecretRef;
  readonly team?: string;
  readonly tenant?: string;
  readonly on?: readonly Moment[];
  readonly groups?: readonly string[];
  readonly show?: NotifyTarget["show"];
  readonly ca?: string;
  readonly answers?: Readonly<Record<string, string>>;
}

type Report = (finding: Finding) => void;

/** What the rest of the settings says that matters here. */
interface Beside {
  readonly people: readonly Person[];
  readonly api: ApiListener | undefined;
}

/** `file`: the settings file, from which relative paths start. */
export function readNotify(
  { listen, targets: raws = [] }: RawNotify,
  { people, api }: Beside,
  file: string,
  report: Report,
): NotifySettings {
  checkDistinct(
    raws.map(({ name }, index) => ({ key: name, path: ["notify", "targets", index, "name"] })),
    (first) => `is taken by ${formatPath(first.slice(0, 3))}`,
    report,
  );
  const targets = raws.map((raw, index) => readTarget(raw, people, ["notify", "targets", index], file, report));
  checkWays(listen, api, targets, report);
  checkSecrets(targets, report);
  checkPeople(people, targets, report);
  return { listen: readLoopback(listen, ["notify", "listen"], report), targets };
}

/** Answers need a way in, and a way in needs answers. */
function checkWays(
  listen: string | undefined,
  api: ApiListener | undefined,
  targets: readonly NotifyTarget[],
  report: Report,
): void {
  const taking = targets.findIndex(({ answers, humans }) => Object.keys(answers).length + humans.length > 0);
  if (taking >= 0 && listen === undefined && api?.takesAnswers !== true) {
    const isListed = Object.keys(targets[taking]?.answers ?? {}).length > 0;
    const message = "takes answers, and needs notify.listen or api.answers: it is where they come in";
    report(invalid(["notify", "targets", taking, ...(isListed ? ["answers"] : [])], "value", message));
  }
  if (taking >= 0) return;
  const message = "means nothing where no target takes answers; take it out";
  if (listen !== undefined) report(invalid(["notify", "listen"], "key", message));
  if (api?.takesAnswers === true) report(invalid(["api", "answers"], "key", message));
}

/**
 * What Slack and Teams sign does not say for which target it is: with one secret for two, what was answered to one would
 * count at the other. What two files hold is looked at when an answer comes (notify/answers.ts).
 */
function checkSecrets(targets: readonly NotifyTarget[], report: Report): void {
  checkDistinct(
    targets.flatMap(({ secret }, index) =>
      secret === undefined ? [] : [{ key: JSON.stringify(secret), path: ["notify", "targets", index, "secret"] }],
    ),
    (first) => `is that of ${formatPath(first.slice(0, 3))} too; each needs one of its own`,
    report,
  );
}

/** An account at no target counts for nothing, and one that is a user's as well for two. */
function checkPeople(people: readonly Person[], targets: readonly NotifyTarget[], report: Report): void {
  const known = new Set(targets.flatMap(({ humans }) => humans));
  for (const [index, { accounts }] of people.entries()) {
    for (const [at, account] of accounts.entries()) {
      const path = ["humans", index, "is", at];
      if (!/^(slack|teams|webhook):/.test(account)) continue;
      if (!known.has(account)) report(invalid(path, "value", `is an account at no target of notify; ${WHERE}`));
      if (!targets.some(({ answers }) => Object.hasOwn(answers, account))) continue;
      report(invalid(path, "value", "is in answers of a target of notify as well; take it out of one of them"));
    }
  }
}

const WHERE =
  'it must be "slack:TEAM/USER" with the team of a target, "teams:TENANT/OBJECT" in lower case with its tenant, or "webhook:NAME/USER"';

function readTarget(raw: RawTarget, people: readonly Person[], path: Path, file: string, report: Report): NotifyTarget {
  const { name, kind, secret, team, ca, on = ["held", "ended"], groups = [], show = "ids", answers = {} } = raw;
  const tenant = raw.tenant?.toLowerCase();
  const place = { name, kind, team, tenant };
  const humans = people.flatMap(({ accounts }) => accounts).filter((account) => isAccountOf(account, place));
  checkKeys(raw, humans.length > 0, path, report);
  for (const [account, user] of Object.entries(answers)) checkAccount(account, user, place, path, report);
  const from = (relative: string) => resolve(dirname(file), relative);
  return {
    ...{ name, kind, url: placed(raw.url, from), on, groups, show },
    ...(secret === undefined ? {} : { secret: placed(secret, from) }),
    ...(team === undefined ? {} : { team }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(ca === undefined ? {} : { ca: from(ca) }),
    ...{ answers: record(Object.entries(answers)), humans },
  };
}

/** What is written and would not be used is a misunderstanding about safety. */
function checkKeys({ kind, secret, team, tenant, answers }: RawTarget, hasHumans: boolean, path: Path, report: Report) {
  const isTaking = answers !== undefined || hasHumans;
  if (secret === undefined && (isTaking || kind === "webhook")) {
    const what = kind === "webhook" ? "which signs what is sent" : "by which answers are known";
    report(invalid(path, "value", `lacks the key "secret", ${what}`));
  }
  if (secret !== undefined && !isTaking && kind !== "webhook") {
    const message = "means nothing where nobody's answers count, by answers or by humans; take it out";
    report(invalid([...path, "secret"], "key", message));
  }
  if (kind === "teams" && isTaking && tenant === undefined) {
    report(invalid(path, "value", 'lacks the key "tenant", whose users alone may answer'));
  }
  if (tenant !== undefined && !(kind === "teams" && isTaking)) {
    report(invalid([...path, "tenant"], "key", "means nothing but for answers from Teams; take it out"));
  }
  if (team !== undefined && !(kind === "slack" && isTaking)) {
    report(invalid([...path, "team"], "key", "means nothing but for answers from Slack; take it out"));
  }
}

/** Accounts as they are told in events, so that they can be copied from there. */
function checkAccount(account: string, user: string, place: AccountPlace, path: Path, report: Report): void {
  const at = [...path, "answers", account];
  const anywhere = place.kind === "teams" ? { tenant: UUID } : { team: TEAM }; // where the target does not say
  if (!isAccountOf(account, { ...anywhere, ...defined(place) })) {
    const forms = {
      slack: `slack:${place.team ?? "TEAM"}/USER`,
      teams: "teams:TENANT/OBJECT in lower case",
      webhook: `webhook:${place.name}/USER`,
    };
    report(invalid(at, "key", `is no account of this target; it must be written ${forms[place.kind]}`));
  }
  if (user !== "root") return;
  report(invalid(at, "value", "must not be root, who counts as everybody; map it to a user of a rule's group"));
}

/** False also where the target does not say whose accounts are its own. */
function isAccountOf(account: string, place: AccountPlace): boolean {
  const begin = accountsBegin(place);
  const user = { slack: TEAM, teams: UUID, webhook: "[A-Za-z0-9._@+-]{1,128}" }[place.kind];
  return begin !== undefined && new RegExp(`^${begin}${user}$`).test(account);
}

function defined({ name, kind, team, tenant }: AccountPlace): AccountPlace {
  return { name, kind, ...(team === undefined ? {} : { team }), ...(tenant === undefined ? {} : { tenant }) };
}

const TEAM = "[A-Z0-9]{2,32}";
const UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
