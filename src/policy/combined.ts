/** What the rulings on the operations of one ask come to together. Pure. */
import type { Refusal, RuleName, ShadowEffect } from "../model/decision.ts";
import type { Limited } from "../model/limit.ts";
import type { Room } from "./ledger.ts";
import type { Answer, CoveringLimit, Ruling } from "./ruling.ts";

export type Refused = Exclude<Answer, { kind: "allow" | "hold" }>;
export type AskedLimit = Limited & CoveringLimit;

/** Each limit once, with how many operations of the ask it covers. */
export function limitsOf(rulings: readonly Ruling[]): readonly AskedLimit[] {
  const found = new Map<RuleName, AskedLimit>();
  for (const limit of rulings.flatMap(({ limits }) => limits)) {
    const known = found.get(limit.terms.rule);
    found.set(limit.terms.rule, { ...limit, operations: (known?.operations ?? 0) + 1 });
  }
  return [...found.values()];
}

/** What limits refuse, and what those in shadow would. */
export function fullOf(limits: readonly AskedLimit[], room: Room): { refusals: Refused[]; shadows: ShadowEffect[] } {
  const refusals: Refused[] = [];
  const shadows: ShadowEffect[] = [];
  for (const { terms, operations, isShadow, message } of limits) {
    const why = room.refusal(terms, operations);
    if (why === undefined) continue;
    if (isShadow) shadows.push({ rule: terms.rule, would: "deny" });
    else
      refusals.push({
        kind: "deny",
        rules: [terms.rule],
        message: message === undefined ? why : `${message}: ${why}`,
      });
  }
  return { refusals, shadows };
}

const SEVERITY = ["allow", "hold", "deny"] as const;

/** What the ask as a whole would be with each rule in force. */
export function shadowsOf(rulings: readonly Ruling[]): readonly ShadowEffect[] {
  const rules = new Set(rulings.flatMap(({ shadows }) => shadows.map(({ rule }) => rule)));
  return [...rules].map((rule) => {
    const kinds = rulings.map(({ answer, shadows }) => {
      const would = shadows.find((shadow) => shadow.rule === rule)?.would ?? answer.kind;
      return SEVERITY.indexOf(would === "forbid" ? "deny" : would);
    });
    return { rule, would: SEVERITY[Math.max(...kinds)] ?? "deny" };
  });
}

/** The first message; every rule. */
export function refusalOf(outcomes: readonly Refusal[]): Refusal {
  return { rules: [...new Set(outcomes.flatMap(({ rules }) => rules))], message: outcomes[0]?.message ?? "" };
}
