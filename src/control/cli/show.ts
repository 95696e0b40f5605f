/** Text for a terminal. Everything that an agent could have written is made printable: it must not drive the terminal. */
import { stripVTControlCharacters } from "node:util";
import { spellOut } from "../../base/printable.ts";
import type { Colours } from "./world.ts";

/** On one line, with control characters spelled out. */
export const printable = spellOut;

/** Keeps line breaks, each followed by `indent`, so that a text cannot pretend to be the next entry. */
export function printableLines(text: string, indent: string): string {
  return text.replaceAll("\r\n", "\n").replaceAll("\t", "  ").split("\n").map(printable).join(`\n${indent}`);
}

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  readonly align?: "right";
}

/** Aligned columns under a dim title line. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], colours: Colours): string {
  const cells = rows.map((row) => columns.map(({ cell }) => printable(cell(row))));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((line) => widthOf(line[index] ?? ""))),
  );
  const line = (texts: readonly string[]) =>
    texts
      .map((text, index) => {
        const gap = " ".repeat((widths[index] ?? 0) - widthOf(text));
        return columns[index]?.align === "right" ? gap + text : text + gap;
      })
      .join("  ")
      .trimEnd();
  const head = colours.dim(line(columns.map(({ title }) => title)));
  return [head, ...cells.map(line)].join("\n");
}

/** "2025-03-01 12:34:56" in the reader's time zone. */
export function moment(atMs: number): string {
  const date = new Date(atMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** "850 ms", "12.3 s", "4 min 10 s", "3 h 5 min" */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "3 rows", "1 row" */
export function count(many: number, one: string): string {
  return `${many} ${one}${many === 1 ? "" : "s"}`;
}

function widthOf(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
