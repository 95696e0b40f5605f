/** docs/performance.md: what benches write into it, each between markers of its own. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";

const DOCS = join(import.meta.dirname, "../../docs");

/** Replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->`. Throws where the page has no such place. */
export function writeSection(name: string, markdown: string): void {
  const file = join(DOCS, "performance.md");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, replaced(text, name, markdown));
}

export function replaced(text: string, name: string, markdown: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end);
  if (from < begin.length || to < from) throw new Error(`Cannot write ${name}: the page has no place for it`);
  return `${text.slice(0, from)}\n${markdown}\n${text.slice(to)}`;
}

export function writePlot(name: string, svg: string): void {
  mkdirSync(join(DOCS, "plots"), { recursive: true });
  writeFileSync(join(DOCS, "plots", `${name}.svg`), svg);
}

export const today = () => new Date().toISOString().slice(0, 10);

/** What the figures are of, as one line; the load is that of the last minute. */
export function machine(): string {
  const versionOf = (program: string) =>
    /\d+\.\d+/.exec(execFileSync(program, ["--version"], { encoding: "utf8" }))?.[0];
  const cores = cpus();
  return [
    `Linux ${release().split("-")[0]}`,
    `${cores.length} cores (${cores[0]?.model ?? "unknown"})`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `PostgreSQL ${versionOf("/usr/lib/postgresql/15/bin/postgres")}`,
    `PgBouncer ${versionOf("pgbouncer")}`,
    `Node ${process.versions.node}`,
    `load ${loadavg()[0]?.toFixed(1)} before`,
  ].join(", ");
}
