/**
 * `npm run connections`: the storm of a million connections, and a table of what came of it. Options: `--count N`
 * (1,000,000), `--markdown FILE` writes the table there too. Exit code 1: one was lost or wrong, or something grew.
 */
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { parseArgs } from "node:util";
import { faultsOf, type StormReport, storm } from "./storm.ts";

const { values } = parseArgs({
  options: { count: { type: "string", default: "1000000" }, markdown: { type: "string" } },
});
const ends: (() => unknown)[] = [];
try {
  const report = await storm({ after: (end: () => unknown) => void ends.push(end) } as never, {
    connections: Number(values.count),
    hasty: 5,
  });
  const table = tableOf(report);
  const faults = faultsOf(report);
  console.log(table);
  for (const fault of faults) console.log(`FAULT ${fault}`);
  console.log(`${report.right} right, ${report.wrong} wrong, ${report.lost} lost`);
  if (values.markdown !== undefined) writeFileSync(values.markdown, pageOf(table, faults));
  process.exitCode = faults.length > 0 ? 1 : 0;
} finally {
  for (const end of ends) await end();
}

function tableOf(report: StormReport): string {
  const { connections, seconds, right, wrong, lost, failed, sourcePorts, before, after } = report;
  const number = (count: number) => count.toLocaleString("en-US");
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const failures = Object.values(failed).reduce((sum, count) => sum + count, 0);
  const rows = [
    ["connections dialled", number(connections)],
    ["origins right in every field", number(right)],
    ["wrong origins", number(wrong)],
    ["lost", number(lost)],
    ["calls that failed at the client", number(failures)],
    ["seconds, connections a second", `${seconds.toFixed(1)}, ${number(Math.round(connections / seconds))}`],
    ["uses of each source port in each namespace", number(Math.round(connections / 2 / sourcePorts))],
    ["entries in the map of origins, before and after", `${before.origins}, ${after.origins}`],
    ["descriptors of the accepting process, before and after", `${before.descriptors}, ${after.descriptors}`],
    ["its resident memory, before and after", `${mib(before.rssBytes)}, ${mib(after.rssBytes)}`],
  ];
  return ["| | |", "|---|---|", ...rows.map((row) => `| ${row.join(" | ")} |`)].join("\n");
}

function pageOf(table: string, faults: readonly string[]): string {
  return `# Connections and their origins

Two network namespaces, two clients in each, with the same few source ports in both, used again and again; ten
destinations over IPv4 and IPv6. Each connection says over its own bytes which process dialled what from which port; the
accept side compares that with the origin that the kernel side gave: address, port, connection, process, source port,
namespace, tag and agent. One connection of five is reset by its client at once, before anybody can answer. "Before" is
taken after a first round of 20,000 connections. Run again by \`npm run connections\`; a run of 20,000 is part of \`npm test\`.

${new Date().toISOString().slice(0, 10)}, Linux ${release().split("-")[0]}, ${faults.length === 0 ? "no faults" : faults.join("; ")}:

${table}
`;
}
