/** A held action as text for a terminal. Everything that an agent could have written is made printable. */
import type { ApprovalListing, ApprovalVote } from "../approvals.ts";
import { count, duration, moment, printable, printableLines } from "./show.ts";
import type { Colours } from "./world.ts";

const INDENT = " ".repeat(12);

/** "waiting, 4 min 10 s left", "denied" */
export function stateWord({ state, expiresMs }: ApprovalListing, nowMs: number): string {
  return state === "waiting" ? `waiting, ${duration(Math.max(0, expiresMs - nowMs))} left` : state;
}

/** The first statement on one line of at most `widthMax` characters, and how many more there are. */
export function statementLine({ statements }: ApprovalListing, widthMax: number): string {
  const [first] = statements;
  const more = statements.length > 1 ? ` (+${statements.length - 1} more)` : "";
  const text = printable((first?.text ?? "").replaceAll(/\s+/g, " ").trim());
  const room = Math.max(1, widthMax - more.length);
  return (text.length > room ? `${text.slice(0, room - 1)}…` : text) + more;
}

/** All of it, a line each. */
export function approvalText(approval: ApprovalListing, colours: Colours, nowMs: number): string[] {
  const lines: string[] = [];
  const say = (name: string, text: string) =>
    lines.push(`${colours.dim(name.padEnd(INDENT.length - 2))}  ${printableLines(text, INDENT)}`);
  const { id, agent, connection, protocol, rules, message, statements, tables, processes } = approval;
  lines.push(`${colours.bold(printable(id))}  ${colours.yellow(stateWord(approval, nowMs))}`);
  say("agent", `${agent} on ${connection} (${protocol}), session ${approval.sessionId}`);
  if (approval.entrance !== undefined) say("let in to", approval.entrance);
  say("since", moment(approval.openedMs));
  say("rule", `${rules.join(", ")}: ${message}`);
  for (const { text, parameters } of statements) {
    say("statement", text);
    if (parameters.length > 0) {
      say("  with", parameters.map((one) => (one === null ? "NULL" : JSON.stringify(one))).join(", "));
    }
  }
  for (const table of tables) say(table.access === "write" ? "writes" : "reads", tableWords(table));
  say("rows", approval.estimate ?? "being asked");
  say("process", `pid ${approval.pid}, user ${approval.user}, ${approval.executable}`);
  for (const { pid, comm, executable } of processes) say("  from", `${pid} ${comm} ${executable}`);
  say("digest", approval.digest);
  say("may answer", approval.approvers.join("; "));
  if (approval.missing !== undefined) say("needs", approval.missing);
  if (approval.barred !== undefined) say("not by you", approval.barred);
  for (const vote of approval.answers) say(vote.counts === false ? "no more" : "approved", voteWords(vote));
  if (approval.denied !== undefined) say("denied", voteWords(approval.denied));
  if (approval.reuses !== undefined) say("approved", `by the approval of ${approval.reuses}, which stood`);
  const { standsUntilMs } = approval;
  if (standsUntilMs !== undefined) say("stands", `the same shape passes until ${moment(standsUntilMs)}`);
  if (approval.reason !== undefined) say("because", approval.reason);
  if (approval.result !== undefined) say("result", approval.result);
  if (approval.endedMs !== undefined) say("ended", moment(approval.endedMs));
  for (const { id: other, agent: whose, openedMs, state, by, result } of approval.similar ?? []) {
    const who = by.length === 0 ? "" : ` by ${by.join(", ")}`;
    say(
      "earlier",
      `${other} ${moment(openedMs)} of ${whose}, ${state}${who}${result === undefined ? "" : `, ${result}`}`,
    );
  }
  return lines.flatMap((line) => line.split("\n"));
}

/** For a screen: the number of those that wait. */
export function waitingWords(many: number): string {
  return many === 0 ? "nothing waits for approval" : `${count(many, "action")} waiting for approval`;
}

function tableWords({ name, labels, columnLabels }: ApprovalListing["tables"][number]): string {
  const own = labels.length === 0 ? "" : `, labelled ${labels.join(", ")}`;
  const columns = columnLabels.length === 0 ? "" : `, columns labelled ${columnLabels.join(", ")}`;
  return `${name}${own}${columns}`;
}

function voteWords({ name, atMs, forMs, comment }: ApprovalVote): string {
  const scope = forMs === undefined ? "once" : `for ${duration(forMs)}`;
  return `${name}, ${moment(atMs)}, ${scope}${comment === undefined ? "" : `: ${comment}`}`;
}
