/** `identity.logins`, `roles` and `humans` of the settings as plain values. Reads no file, asks no issuer. */
import { dirname, resolve } from "node:path";
import { CLOCK_SKEW_MS_MAX, HUMAN_IDLE_MS, HUMAN_SESSION_MS } from "../base/limits.ts";
import { type Login, NAME_ID, type OidcLogin, type Person, type RoleGroups, type SamlLogin } from "../model/human.ts";
import type { SecretRef } from "../model/sink.ts";
import { bounded, CLOCK_SKEW_DEFAULT_MS, groupsOf, type RawGroups } from "./identity.ts";
import { checkDistinct, invalid } from "./meaning.ts";
import { type Finding, formatPath, type Path } from "./problems.ts";

export type RawLogin = RawOidcLogin | RawSamlLogin;

interface RawTerms {
  readonly name: string;
  readonly subject?: string;
  readonly displayName?: string;
  readonly session?: { readonly idle?: string; readonly lasts?: string };
}

interface RawOidcLogin extends RawTerms {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: SecretRef;
  readonly algorithms?: readonly string[];
  readonly scopes?: readonly string[];
  readonly groups?: RawGroups<"claim">;
  readonly ca?: string;
}

interface RawSamlLogin extends RawTerms {
  readonly entityId: string;
  readonly signOn: string;
  readonly certificates: readonly string[];
  readonly audience: string;
  readonly recipient: string;
  readonly clockSkew?: string;
  readonly groups?: RawGroups<"attribute">;
}

export interface RawPerson {
  readonly name: string;
  readonly is: readonly string[];
  readonly groups?: readonly string[];
}

/** Without what stands in files: whoever reads these adds it. */
export type LoginSettings =
  | { readonly login: OidcLogin; readonly caFile?: string }
  | { readonly login: SamlLogin; readonly certificateFiles: readonly string[] };

export interface HumanSettings {
  readonly logins: readonly LoginSettings[];
  readonly roles: RoleGroups;
  readonly people: readonly Person[];
}

interface RawHumans {
  readonly logins: readonly RawLogin[];
  /** Whose responses agents show. */
  readonly agentsSaml: readonly { readonly entityId: string; readonly audience: string }[];
  readonly roles: RoleGroups;
  readonly humans: readonly RawPerson[];
}

type Report = (finding: Finding) => void;

const ALGORITHMS_DEFAULT = ["RS256", "ES256", "PS256", "EdDSA"] as const;
const SCOPES_DEFAULT = ["openid", "profile", "offline_access"] as const;
/** Whose accounts are those of chats and webhooks; config/notify.ts knows their forms. */
const CHATS = ["slack", "teams", "webhook"];
/** What stands before the colon of an account that is no login's, and what a URL begins with. */
const NO_LOGINS = ["unix", "https", ...CHATS];
const IDLE_MIN_MS = 60_000;
/** Below, only root may listen. */
const PORT_MIN = 1_024;
const PORT_MAX = 65_535;

export function readHumans(
  { logins, agentsSaml, roles, humans }: RawHumans,
  file: string,
  report: Report,
): HumanSettings {
  checkDistinct(
    logins.map(({ name }, index) => ({ key: name, path: ["identity", "logins", index, "name"] })),
    (first) => `is taken by ${formatPath(first.slice(0, 3))}`,
    report,
  );
  const read = logins.map((raw, index) => readLogin(raw, ["identity", "logins", index], file, report));
  checkAudiences(logins, agentsSaml, report);
  checkRoles(roles, logins, report);
  checkPeople(humans, logins, report);
  return {
    logins: read,
    roles,
    people: humans.map(({ name, is, groups }) => ({ name, accounts: is, ...(groups === undefined ? {} : { groups }) })),
  };
}

function readLogin(raw: RawLogin, path: Path, file: string, report: Report): LoginSettings {
  if (NO_LOGINS.includes(raw.name)) report(invalid([...path, "name"], "value", "is no name of a login; take another"));
  return "entityId" in raw ? readSaml(raw, path, file, report) : readOidc(raw, path, file, report);
}

function readOidc(raw: RawOidcLogin, path: Path, file: string, report: Report): LoginSettings {
  const { name, clientId, algorithms = ALGORITHMS_DEFAULT, scopes = SCOPES_DEFAULT } = raw;
  if (!URL.canParse(raw.issuer)) report(invalid([...path, "issuer"], "value", "is not a URL"));
  if (!scopes.includes("openid")) {
    report(invalid([...path, "scopes"], "value", 'lacks "openid", without which no issuer says who signs in'));
  }
  const login: OidcLogin = {
    ...{ kind: "oidc", name, url: raw.issuer, clientId, algorithms, scopes, groups: groupsOf(raw.groups, "claim") },
    ...{ subject: raw.subject ?? "sub", displayName: raw.displayName ?? "name", ...readSession(raw, path, report) },
    ...(raw.clientSecret === undefined ? {} : { clientSecret: placed(raw.clientSecret, file) }),
  };
  return { login, ...(raw.ca === undefined ? {} : { caFile: resolve(dirname(file), raw.ca) }) };
}

function readSaml(raw: RawSamlLogin, path: Path, file: string, report: Report): LoginSettings {
  const { name, entityId: url, signOn, audience, recipient, subject = NAME_ID, displayName = NAME_ID } = raw;
  if (!URL.canParse(signOn)) report(invalid([...path, "signOn"], "value", "is not a URL"));
  const port = Number(/:([0-9]+)/.exec(recipient.slice("http:".length))?.[1]);
  if (port < PORT_MIN || port > PORT_MAX) {
    report(
      invalid([...path, "recipient"], "value", `has no port from ${PORT_MIN} to ${PORT_MAX}, where anybody may listen`),
    );
  }
  const skewPath = [...path, "clockSkew"];
  const clockSkewMs = bounded(raw.clockSkew, CLOCK_SKEW_DEFAULT_MS, 0, CLOCK_SKEW_MS_MAX, "5m", skewPath, report);
  const login: SamlLogin = {
    ...{ kind: "saml", name, url, signOn, certificates: [], audience, recipient, clockSkewMs, subject, displayName },
    ...{ groups: groupsOf(raw.groups, "attribute"), ...readSession(raw, path, report) },
  };
  return { login, certificateFiles: raw.certificates.map((path) => resolve(dirname(file), path)) };
}

function readSession({ session }: RawTerms, path: Path, report: Report): Pick<Login, "idleMs" | "lastsMs"> {
  const within = (key: "idle" | "lasts", byDefault: number, min: number) =>
    bounded(session?.[key], byDefault, min, HUMAN_SESSION_MS, "12h", [...path, "session", key], report);
  const idleMs = within("idle", HUMAN_IDLE_MS, IDLE_MIN_MS);
  const lastsMs = within("lasts", HUMAN_SESSION_MS, idleMs);
  return { idleMs, lastsMs };
}

/** A response that a person brought must be no agent's token as well, nor the other way round. */
function checkAudiences(logins: readonly RawLogin[], agentsSaml: RawHumans["agentsSaml"], report: Report): void {
  for (const [index, login] of logins.entries()) {
    if (!("entityId" in login)) continue;
    const { entityId, audience } = login;
    const at = agentsSaml.findIndex((one) => one.entityId === entityId && one.audience === audience);
    if (at === -1) continue;
    const message = `is that of identity.saml[${at}] too; register one of their own for humans`;
    report(invalid(["identity", "logins", index, "audience"], "value", message));
  }
}

/** A group that nobody can have would give its role to nobody: that is a slip, or a Unix group. */
function checkRoles(roles: RoleGroups, logins: readonly RawLogin[], report: Report): void {
  const named = new Set(
    logins.flatMap(({ groups }) => (typeof groups === "object" ? Object.values(groups.names).flat() : [])),
  );
  for (const [role, groups] of Object.entries(roles)) {
    for (const [index, group] of groups.entries()) {
      const path = ["roles", role, index];
      const [login, rest] = split(group);
      if (rest === undefined && !named.has(group)) {
        const message =
          "is a group that no login names; write it as LOGIN:GROUP, or add it to the login's groups.names";
        report(invalid(path, "value", message));
      } else if (rest !== undefined && !logins.some(({ name }) => name === login)) {
        report(invalid(path, "value", "begins with no login of identity.logins"));
      } else if (rest !== undefined && logins.some(({ name, groups }) => name === login && groups === undefined)) {
        report(invalid(path, "value", "is of a login that takes no groups; name their claim in its groups"));
      }
    }
  }
}

/** One account is one human's; root is nobody's alone; what would count for nothing is a misunderstanding. */
function checkPeople(people: readonly RawPerson[], logins: readonly RawLogin[], report: Report): void {
  checkDistinct(
    people.map(({ name }, index) => ({ key: name, path: ["humans", index, "name"] })),
    (first) => `is taken by ${formatPath(first.slice(0, 2))}`,
    report,
  );
  const accounts = people.flatMap(({ is }, index) =>
    is.map((account, at) => ({ key: account, path: ["humans", index, "is", at] })),
  );
  checkDistinct(accounts, (first) => `is ${formatPath(first.slice(0, 2))} already`, report);
  for (const [index, { is, groups }] of people.entries()) {
    if (groups === undefined || is.some((account) => CHATS.includes(split(account)[0]))) continue;
    const message = "means nothing without an account of a chat or webhook: who signs in has the groups of the login";
    report(invalid(["humans", index, "groups"], "key", message));
  }
  for (const { key, path } of accounts) {
    const [place, rest] = split(key);
    if (key === "unix:root" || key === "unix:0") report(invalid(path, "value", "is root, who is no single human"));
    else if (!["unix", ...CHATS].includes(place) && !logins.some(({ name }) => name === place)) {
      const message = 'begins with no login of identity.logins, nor with "unix:", "slack:", "teams:" or "webhook:"';
      report(invalid(path, "value", message));
    } else if (rest === undefined || rest === "") report(invalid(path, "value", "names nobody behind the colon"));
  }
}

function split(text: string): readonly [string, string | undefined] {
  const at = text.indexOf(":");
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function placed(reference: SecretRef, file: string): SecretRef {
  return "file" in reference ? { file: resolve(dirname(file), reference.file) } : reference;
}
