/**
 * `npm run sinks`: 100,000 events to a stock rsyslog, a collector, a webhook and a file, each killed ten times, and a table of
 * what came. Options: `--events N`, `--kills N`, `--rate N` a second, `--markdown FILE` writes the table there too. Exit code 1:
 * an event is missing somewhere.
 */
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { parseArgs } from "node:util";
import { faultsOf, type TrialReport, trial } from "./trial.ts";

const { values } = parseArgs({
  options: {
    events: { type: "string", default: "100000" },
    kills: { type: "string", default: "10" },
    rate: { type: "string", default: "3000" },
    markdown: { type: "string" },
  },
});
const report = await trial({ events: Number(values.events), kills: Number(values.kills), rate: Number(values.rate) });
const faults = faultsOf(report);
const table = tableOf(report);
console.log(table);
for (const fault of faults) console.log(`FAULT ${fault}`);
console.log(`${report.events} events, ${report.sinks.length} sinks, ${faults.length} faults`);
if (values.markdown !== undefined) writeFileSync(values.markdown, pageOf(report, table, faults));
process.exitCode = faults.length > 0 ? 1 : 0;

function tableOf({ events, sinks }: TrialReport): string {
  const number = (count: number) => count.toLocaleString("en-US");
  const rows = sinks.map(({ name, received, missing, rejected, twice, status }) => {
    const share = `${(((events - missing.length) / events) * 100).toFixed(missing.length === 0 ? 0 : 4)} %`;
    const counts = [received, rejected, missing.length, twice, status?.retried ?? 0].map(number);
    return `| ${[name, share, ...counts].join(" | ")} |`;
  });
  const head = ["sink", "arrived", "received", "rejected by the receiver", "missing", "came again", "retries"];
  return [`| ${head.join(" | ")} |`, `|${"---|".repeat(head.length)}`, ...rows].join("\n");
}

function pageOf(
  { events, seconds, kills, emitterKills }: TrialReport,
  table: string,
  faults: readonly string[],
): string {
  const day = new Date().toISOString().slice(0, 10);
  return `# Sinks and what arrives

One journal, four sinks: Debian's own rsyslog over TLS, an OTLP collector (protobuf) and a webhook over TLS, and a file. Every
receiver is stopped for a moment, in which its kernel goes on taking bytes for it, and killed (SIGKILL), ${kills} times while events go on, and started again on the same port; the file is moved away
under its writer as often. The process that emits is killed ${emitterKills} times. The collector and the webhook answer 503 and 429 now and
then, take a batch and hang up without an answer, and the collector rejects single events (those count as told, not as lost).
Afterwards every line of the journal must have arrived everywhere. "Came again" is the price of at-least-once: the same \`seq\`.
"Retries" are those since the emitter's last start. Run again by \`npm run sinks\`; 5,000 events and three kills are part of \`npm test\`.

${day}, Linux ${release().split("-")[0]}, ${events.toLocaleString("en-US")} events in ${seconds.toFixed(0)} s, ${faults.length === 0 ? "no faults" : faults.join("; ")}:

${table}
`;
}
