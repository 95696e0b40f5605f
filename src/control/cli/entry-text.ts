/** One entry of a recording as a person reads it. What agents wrote, and what they got, is shown printable only. */
import type { SessionEntry } from "../ports.ts";
import { count, printable, printableLines } from "./show.ts";
import type { Colours } from "./world.ts";

export const INDENT = " ".repeat(18);

export function entryText(entry: SessionEntry, colours: Colours): string {
  const at = `+${(entry.offsetMs / 1_000).toFixed(3)}`.padStart(9);
  if (entry.output !== undefined) return outputText(entry.output, colours);
  if (entry.terminal !== undefined) return `${colours.dim(at)}         ${terminalText(entry.terminal)}`;
  const word = verdictWord(entry, colours);
  const lines = [`${colours.dim(at)}  ${word} ${printableLines(entry.text, INDENT)}`];
  const rules = entry.rules ?? [];
  const by = rules.length === 0 ? "" : `, rules: ${rules.map(printable).join(", ")}`;
  if (entry.kind === "decision") lines.push(colours.dim(`entry ${entry.number}${by}`));
  if (entry.hold !== undefined) {
    const { id, by, state } = entry.hold;
    const who = by.length === 0 ? "" : ` by ${by.map(printable).join(", ")}`;
    lines.push(
      colours.yellow(state === "" ? `waits as ${printable(id)}` : `${printable(id)} ${printable(state)}${who}`),
    );
  }
  if (entry.message !== undefined && entry.message !== "") lines.push(printableLines(entry.message, INDENT));
  if (entry.observed !== undefined) {
    const denying =
      entry.observed.rules.length === 0 ? "default: no rule allows it" : entry.observed.rules.map(printable).join(", ");
    lines.push(colours.yellow(`would be denied by ${denying} (observed)`));
    if (entry.observed.message !== "") lines.push(printableLines(entry.observed.message, INDENT));
  }
  for (const { rule, would } of entry.shadow ?? []) {
    lines.push(colours.yellow(`with rule ${printable(rule)}, which is in shadow: ${would}`));
  }
  const tallies = (what: string, masks: SessionEntry["masks"] = []) =>
    masks.map((mask) => `${printable(mask.column)} ${what} ${count(mask.count, "time")} by ${printable(mask.by)}`);
  const counts = [
    ...(entry.rows === undefined ? [] : [count(entry.rows, "row")]),
    ...(entry.bytes === undefined ? [] : [count(entry.bytes, "byte")]),
    ...tallies("masked", entry.masks),
    ...tallies("shown", entry.shown),
  ];
  if (counts.length > 0) lines.push(colours.dim(counts.join(" · ")));
  return lines.join(`\n${INDENT}`);
}

type Output = NonNullable<SessionEntry["output"]>;

/** Rows as a table, of which a value is one line. */
function outputText({ columns, values, truncated }: Output, colours: Colours): string {
  const cells = values.map((row) => row.map(cellText));
  const heads = columns.map(printable);
  const many = Math.max(heads.length, ...cells.map(({ length }) => length));
  const widths = Array.from({ length: many }, (_, at) =>
    Math.max((heads[at] ?? "").length, ...cells.map((row) => [...(row[at] ?? "")].length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell + " ".repeat(Math.max(0, (widths[at] ?? 0) - [...cell].length)))
      .join(" | ")
      .trimEnd();
  const lines = [
    ...(heads.length === 0 ? [] : [colours.dim(line(heads))]),
    ...cells.map(line),
    ...(truncated ? [colours.dim("(more rows were not kept)")] : []),
  ];
  return lines.map((one) => INDENT + one).join("\n");
}

function cellText(value: Output["values"][number][number]): string {
  if (value === null) return "NULL";
  return typeof value === "string" ? printable(value) : `\\x${value.hex}`;
}

function terminalText(terminal: NonNullable<SessionEntry["terminal"]>): string {
  switch (terminal.stream) {
    case "output":
    case "input":
      return `${terminal.stream} ${printable(Buffer.from(terminal.data, "base64").toString())}`;
    case "resize":
      return `resized to ${terminal.columns}x${terminal.rows}`;
    case "exit":
      return `ended with status ${terminal.status}`;
    default:
      return terminal satisfies never;
  }
}

function verdictWord({ decision }: SessionEntry, colours: Colours): string {
  switch (decision) {
    case "allow":
      return colours.green("allow ");
    case "deny":
      return colours.red("deny  ");
    case "hold":
      return colours.yellow("hold  ");
    case undefined:
      return "      ";
    default:
      return decision satisfies never;
  }
}
