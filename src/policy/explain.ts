/** Says in words why an operation was denied. For the agent and the audit trail: never holds facts or row values. */

/** What one rule had to say of one operation. */
export interface RuleVerdict {
  readonly rule: string;
  /** The rule's own message, where it has one. */
  readonly message: string | undefined;
  /** Why its condition failed; a rule whose condition failed denies whatever its outcome. */
  readonly failure: string | undefined;
}

/** Messages of several rules are joined up to this length; the names of all stand in the decision. */
const MESSAGE_LENGTH_MAX = 1_000;

/** At least one verdict. */
export function sayDenied(verdicts: readonly RuleVerdict[]): string {
  return joined(verdicts.map((verdict) => sayVerdict(verdict, "Denied")));
}

/** At least one verdict, none of which failed. */
export function sayHeld(verdicts: readonly RuleVerdict[]): string {
  return joined(verdicts.map((verdict) => sayVerdict(verdict, "Held")));
}

function joined(all: readonly string[]): string {
  const sentences = new Set(all);
  let said = "";
  for (const sentence of sentences) {
    const longer = said === "" ? sentence : `${said}; ${sentence}`;
    if (longer.length > MESSAGE_LENGTH_MAX) return `${said}; …`;
    said = longer;
  }
  return said;
}

function sayVerdict({ rule, message, failure }: RuleVerdict, what: "Denied" | "Held"): string {
  if (failure !== undefined) return `The condition of rule ${rule} failed: ${failure}`;
  return message ?? `${what} by rule ${rule}`;
}

/** Nothing denied these actions and nothing allowed them either. */
export function sayNotAllowed(actions: readonly string[]): string {
  return `No rule allows ${actions.join(", ")}`;
}

/** The protocol brought an action or facts that it did not declare. */
export function sayMisfit(action: string, fact: string | undefined): string {
  if (fact === undefined) return `The action ${action} is not declared by any protocol`;
  return `The facts of ${action} failed their check: ${fact} is missing or of another type`;
}
