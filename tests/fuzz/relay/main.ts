/**
 * `npm run fuzz-relay`: mutated messages through the native relay, under sanitizers. Options: `--messages N` (10,000,000),
 * `--seed N`, `--episode N` shows that one again, step by step, `--markdown FILE` writes the report there. Last line:
 * "N messages, no fault", or the fault and how to see it again; exit code 1 then.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { buildRelayFuzz } from "./build.ts";
import { pageOf } from "./page.ts";
import { runRelayFuzz } from "./run.ts";

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      messages: { type: "string", default: "10000000" },
      seed: { type: "string", default: "20261129" },
      episode: { type: "string" },
      markdown: { type: "string" },
    },
  });
  const [messages, seed, episode] = [values.messages, values.seed, values.episode ?? "0"].map(Number);
  if (![messages, seed, episode].every((value) => Number.isSafeInteger(value) && Number(value) >= 0)) {
    console.error("usage: npm run fuzz-relay -- [--messages N] [--seed N] [--episode N] [--markdown FILE]");
    return 2;
  }
  const plan = { messages: messages as number, seed: seed as number };
  console.log(`seed ${seed}`);
  const one = values.episode === undefined ? {} : { episode: episode as number };
  const run = await runRelayFuzz(await buildRelayFuzz("as it is"), { ...plan, ...one });
  if (run.counts !== undefined && values.episode === undefined) {
    const page = pageOf(run.counts, { seed: plan.seed, seconds: run.seconds, isWhole: run.faults === "" });
    console.log(page);
    if (values.markdown !== undefined) writeFileSync(values.markdown, page);
  }
  console.log(run.faults === "" ? `${run.counts?.mutated} messages, no fault` : run.faults);
  return run.faults === "" ? 0 : 1;
}

process.exitCode = await main();
