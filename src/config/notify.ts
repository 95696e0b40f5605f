/** `notify` of the settings as plain values: what belongs to which kind of target, and whose answers count. Reads no file. */
import { dirname, resolve } from "node:path";
import type { Moment, NotifyKind, NotifySettings, NotifyTarget } from "../model/notify.ts";
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
  readonly tenant?: string;
  readonly on?: readonly Moment[];
  readonly groups?: readonly string[];
  readonly show?: NotifyTarget["show"];
  readonly ca?: string;
  readonly answers?: Readonly<Record<string, string>>;
}

type Report = (finding: Finding) => void;

/** `file`: the settings file, from which relative paths start. */
export function readNotify({ listen, targets = [] }: RawNotify, file: string, report: Report): NotifySettings {
  checkDistinct(
    targets.map(({ name }, index) => ({ key: name, path: ["notify", "targets", index, "name"] })),
    (first) => `is taken by ${formatPath(first.slice(0, 3))}`,
    report,
  );
  const taking = targets.findIndex(({ answers }) => answers !== undefined);
  if (taking >= 0 && listen === undefined) {
    const message = "needs notify.listen: it is where answers come in";
    report(invalid(["notify", "targets", taking, "answers"], "key", message));
  }
  if (taking < 0 && listen !== undefined) {
    report(invalid(["notify", "listen"], "key", "means nothing where no target takes answers; take it out"));
  }
  return {
    listen: readLoopback(listen, ["notify", "listen"], report),
    targets: targets.map((target, index) => readTarget(target, ["notify", "targets", index], file, report)),
  };
}

function readTarget(raw: RawTarget, path: Path, file: string, report: Report): NotifyTarget {
  const { name, kind, secret, ca, on = ["held", "ended"], groups = [], show = "ids", answers = {} } = raw;
  const tenant = raw.tenant?.toLowerCase();
  checkKeys(raw, path, report);
  for (const [account, user] of Object.entries(answers))
    checkAccount(account, user, { name, kind, tenant }, path, report);
  const from = (relative: string) => resolve(dirname(file), relative);
  return {
    ...{ name, kind, url: placed(raw.url, from), on, groups, show },
    ...(secret === undefined ? {} : { secret: placed(secret, from) }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(ca === undefined ? {} : { ca: from(ca) }),
    answers: record(Object.entries(answers)),
  };
}

/** What is written and would not be used is a misunderstanding about safety. */
function checkKeys({ kind, secret, tenant, answers }: RawTarget, path: Path, report: Report): void {
  const isTaking = answers !== undefined;
  if (secret === undefined && (isTaking || kind === "webhook")) {
    const what = kind === "webhook" ? "which signs what is sent" : "by which answers are known";
    report(invalid(path, "value", `lacks the key "secret", ${what}`));
  }
  if (secret !== undefined && !isTaking && kind !== "webhook") {
    report(invalid([...path, "secret"], "key", "means nothing where no answers are taken; take it out"));
  }
  if (kind === "teams" && isTaking && tenant === undefined) {
    report(invalid(path, "value", 'lacks the key "tenant", whose users alone may answer'));
  }
  if (tenant !== undefined && !(kind === "teams" && isTaking)) {
    report(invalid([...path, "tenant"], "key", "means nothing but for answers from Teams; take it out"));
  }
}

/** Accounts as they are told in events, so that they can be copied from there. */
function checkAccount(
  account: string,
  user: string,
  { name, kind, tenant }: { readonly name: string; readonly kind: NotifyKind; readonly tenant: string | undefined },
  path: Path,
  report: Report,
): void {
  const place = [...path, "answers", account];
  const whose = { slack: "[A-Z0-9]{2,32}/[A-Z0-9]{2,32}", teams: `${tenant ?? UUID}/${UUID}`, webhook: `${name}/.+` };
  if (!new RegExp(`^${kind}:${whose[kind]}$`).test(account)) {
    const forms = {
      slack: "slack:TEAM/USER",
      teams: "teams:TENANT/OBJECT in lower case",
      webhook: `webhook:${name}/USER`,
    };
    report(invalid(place, "key", `is no account of this target; it must be written ${forms[kind]}`));
  }
  if (user !== "root") return;
  report(invalid(place, "value", "must not be root, who counts as everybody; map it to a user of a rule's group"));
}

const UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
