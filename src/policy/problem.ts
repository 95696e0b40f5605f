/** What is wrong with a policy file, said so that a person can mend it. Never holds facts or row values. */
import { UserError } from "../base/errors.ts";

export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** The rule's name, or "" where the problem is not inside a named rule. */
  readonly rule: string;
  readonly message: string;
  /** What to do about it; "" where the message says it all. */
  readonly remedy: string;
}

/** More problems than this are not told: a file of another kind would give one per line. */
const PROBLEMS_MAX = 50;

/** A policy that was not loaded. `problems` has at least one and at most PROBLEMS_MAX, in the order of the files. */
export class PolicyError extends UserError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const told = problems.slice(0, PROBLEMS_MAX);
    const lines = told.map(sayProblem);
    if (problems.length > told.length) lines.push(`… and ${problems.length - told.length} more`);
    super(
      "POLICY_INVALID",
      `Cannot load the policy:\n${lines.join("\n")}`,
      "Mend the lines named above and try again.",
    );
    this.name = "PolicyError";
    this.problems = told;
  }
}

/** "pii.yaml:12:5 rule hide-pii: message remedy" */
export function sayProblem(problem: Problem): string {
  const rule = problem.rule === "" ? "" : ` rule ${problem.rule}`;
  const remedy = problem.remedy === "" ? "" : ` ${problem.remedy}`;
  return `${problem.file}:${problem.line}:${problem.column}${rule}: ${problem.message}${remedy}`;
}
