/** What the claims of a verified token make of an agent, as its issuer's settings say. Verifies nothing; shows no value. */
import { UserError } from "../base/errors.ts";
import { TOKEN_CLAIM_MAX, TOKEN_GROUPS_MAX } from "../base/limits.ts";
import type { TokenTerms } from "../model/issuer.ts";
import { globMatches } from "./matchers.ts";
import { claimsRefused } from "./token-refusals.ts";

export type Claims = Readonly<Record<string, unknown>>;

/** As groups in the settings are written: others could not be meant by a rule. */
const GROUP = /^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$/;

/** Throws TOKEN_MATCH: it is not one of those that the settings take. */
export function checkMatch(claims: Claims, { name, match }: Pick<TokenTerms, "name" | "match">): void {
  for (const [claim, glob] of Object.entries(match)) {
    const value = textOf(claims, claim);
    if (value !== undefined && (glob === "*" || globMatches(glob, value))) continue;
    const remedy = `See match of issuer ${name} in the settings`;
    throw new UserError(
      "TOKEN_MATCH",
      `Cannot use the token: its claim ${claim} is not as the settings want it`,
      remedy,
    );
  }
}

/** The claims that become facts. One that the token lacks, or that is no text, number or truth value, is left out. */
export function factsOf(
  claims: Claims,
  named: readonly (readonly [fact: string, claim: string])[],
): Readonly<Record<string, string>> {
  const facts: Record<string, string> = Object.create(null);
  for (const [fact, claim] of named) {
    const value = textOf(claims, claim);
    if (value !== undefined) facts[fact] = checked(value, claim);
  }
  return facts;
}

/** Throws TOKEN_CLAIMS for more than an identity may have. */
export function groupsOf(claims: Claims, { groups: taken }: Pick<TokenTerms, "groups">): readonly string[] {
  if (taken === undefined || !Object.hasOwn(claims, taken.claim)) return [];
  const value = claims[taken.claim];
  const said = (Array.isArray(value) ? value : [value]).filter((one) => typeof one === "string");
  const { names } = taken;
  const groups =
    names === undefined ? said : said.flatMap((one) => (Object.hasOwn(names, one) ? names[one] : []) ?? []);
  const distinct = [...new Set(groups)].filter((group) => GROUP.test(group));
  if (distinct.length > TOKEN_GROUPS_MAX) throw claimsRefused(`it has more than ${TOKEN_GROUPS_MAX} groups`);
  return distinct;
}

/** A text that an identity keeps. Throws TOKEN_CLAIMS. */
export function checked(value: unknown, claim: string): string {
  if (typeof value !== "string" || value === "") throw claimsRefused(`its claim ${claim} is no text`);
  if (value.length > TOKEN_CLAIM_MAX) throw claimsRefused(`its claim ${claim} is longer than ${TOKEN_CLAIM_MAX}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(value)) throw claimsRefused(`its claim ${claim} has control characters`);
  return value;
}

function textOf(claims: Claims, name: string): string | undefined {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}
