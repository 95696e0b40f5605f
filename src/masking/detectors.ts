/** The list of detectors and how their findings become one list. Finds; replaces nothing. */
import { scanEmails, scanPhones } from "./contacts.ts";
import { AT_SIGN, AWS_HEAD, DIGITS, GITHUB_HEAD, gate, JWT_HEAD, MANY_DIGITS, PEM_HEAD } from "./gate.ts";
import { scanCards, scanIbans, scanSsns } from "./numbers.ts";
import { plainOf } from "./plain.ts";
import type { Scan } from "./scan.ts";
import { scanAwsKeys, scanGithubTokens, scanJwts, scanPrivateKeys } from "./secrets.ts";

/** A half-open range of UTF-16 units of the text that was searched. */
export interface Finding {
  readonly detector: string;
  readonly start: number;
  readonly end: number;
}

export interface Detector {
  readonly id: string;
  readonly about: string;
  /** Policies may name "secret" for all of these. */
  readonly secret: boolean;
  /** Evidence without which there is no finding; see gate.ts. */
  readonly evidence: number;
  readonly scan: Scan;
}

/** In the order of precedence: where two findings overlap, the earlier names both. */
export const DETECTORS: readonly Detector[] = [
  { id: "private-key", about: "Private keys in PEM form", secret: true, evidence: PEM_HEAD, scan: scanPrivateKeys },
  { id: "jwt", about: "JSON web tokens", secret: true, evidence: JWT_HEAD, scan: scanJwts },
  { id: "aws-key", about: "AWS access keys", secret: true, evidence: AWS_HEAD, scan: scanAwsKeys },
  { id: "github-token", about: "GitHub tokens", secret: true, evidence: GITHUB_HEAD, scan: scanGithubTokens },
  { id: "payment-card", about: "Payment card numbers", secret: false, evidence: MANY_DIGITS, scan: scanCards },
  { id: "iban", about: "Bank accounts (IBAN)", secret: false, evidence: DIGITS, scan: scanIbans },
  { id: "us-ssn", about: "US social security numbers", secret: false, evidence: MANY_DIGITS, scan: scanSsns },
  { id: "email", about: "E-mail addresses", secret: false, evidence: AT_SIGN, scan: scanEmails },
  { id: "phone", about: "Phone numbers", secret: false, evidence: DIGITS, scan: scanPhones },
];

/** Stands for every detector that is `secret`. */
export const SECRET = "secret";

/** Names that a policy may use as `detector`. */
export const DETECTOR_NAMES: readonly string[] = [...DETECTORS.map(({ id }) => id), SECRET];

const encoder = new TextEncoder();

/** Everything that any detector finds: ascending, not overlapping. */
export function detect(text: string): Finding[] {
  const evidence = gate(encoder.encode(text), evidenceOf(DETECTORS), "none");
  if (evidence === 0) return [];
  return scanText(DETECTORS, text, "", evidence).map(({ detector, start, end }) => ({ detector, start, end }));
}

/** The evidence that at least one of these needs. */
export function evidenceOf(detectors: readonly Detector[]): number {
  return detectors.reduce((bits, { evidence }) => bits | evidence, 0);
}

/** A finding with every detector that had a part in it, in the order of precedence. */
export interface MergedFinding extends Finding {
  readonly detectors: readonly string[];
}

/** Runs the detectors whose evidence is there. `hint` is the name of the column that the text is from, or "". */
export function scanText(
  detectors: readonly Detector[],
  text: string,
  hint: string,
  evidence: number,
): readonly MergedFinding[] {
  const plain = plainOf(text);
  const found: RankedFinding[] = [];
  detectors.forEach(({ evidence: needed, scan }, rank) => {
    if ((needed & evidence) === 0) return;
    scan(plain.text, hint, (start, end) => {
      found.push({ ranks: [rank], start: plain.original(start), end: plain.original(end) });
    });
  });
  return merge(found).map(({ ranks, start, end }) => {
    const names = ranks.sort((left, right) => left - right).map((rank) => detectors[rank]?.id ?? "");
    return { detector: names[0] ?? "", detectors: names, start, end };
  });
}

interface RankedFinding {
  readonly ranks: number[];
  readonly start: number;
  end: number;
}

/** Overlapping findings become one that covers the whole of all, so that nothing of any stays. */
function merge(found: RankedFinding[]): RankedFinding[] {
  const merged: RankedFinding[] = [];
  for (const finding of found.sort((left, right) => left.start - right.start)) {
    const last = merged.at(-1);
    if (last === undefined || finding.start >= last.end) merged.push(finding);
    else {
      last.ranks.push(...finding.ranks);
      last.end = Math.max(last.end, finding.end);
    }
  }
  return merged;
}
