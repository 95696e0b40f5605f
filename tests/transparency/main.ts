/** `npm run transparency`: see options.ts. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Counted, documentOf, textsOf } from "./document.ts";
import { HELP, readOptions, UsageError } from "./options.ts";
import { runVersion, type VersionResult } from "./suite.ts";

const DOCUMENT = join(import.meta.dirname, "../../docs/transparency.md");

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = readOptions(args);
    if (options.help) {
      console.log(HELP);
      return 0;
    }
    const startedMs = performance.now();
    const results: VersionResult[] = [];
    for (const version of options.versions) {
      results.push(await runVersion(version, options, (line) => console.error(line)));
    }
    for (const result of results) tellDifferences(result);
    const counted = count(results);
    const facts = { seed: options.seed, tookMs: performance.now() - startedMs };
    if (options.write) writeFileSync(DOCUMENT, await documentOf(results, counted, facts));
    console.log(`seed ${options.seed}, ${(facts.tookMs / 1_000).toFixed(0)} s`);
    const { statements, differences, clients, failed } = counted;
    console.log(`${statements} statements, ${differences} differences; ${clients} clients, ${failed} failed`);
    const isControlled = results.every(({ control }) => control === undefined);
    return differences + failed === 0 && isControlled ? 0 : 1;
  } catch (error) {
    console.error(error instanceof UsageError ? `${error.message}\nusage: npm run transparency -- --help` : error);
    return error instanceof UsageError ? 2 : 1;
  }
}

function count(results: readonly VersionResult[]): Counted {
  const clients = new Set(results.flatMap((result) => result.clients.map(({ name }) => name)));
  const failed = new Set(
    results.flatMap((result) => result.clients.filter(({ apart }) => apart !== "").map(({ name }) => name)),
  );
  return {
    statements: textsOf(results).size,
    // What is stated wrongly differs as well.
    differences: results.reduce((sum, { differences, misstated }) => sum + differences.length + misstated.length, 0),
    clients: clients.size,
    failed: failed.size,
  };
}

function tellDifferences({ version, differences, misstated, control, clients }: VersionResult): void {
  for (const { name, direct, guarded } of differences)
    console.log(`${version}: ${name}\n  direct:  ${direct}\n  guarded: ${guarded}`);
  for (const line of misstated) console.log(`${version}: not as stated: ${line}`);
  for (const { name, apart } of clients) if (apart !== "") console.log(`${version}: ${name}: ${apart}`);
  if (control !== undefined) console.log(`${version}: the control failed: ${control}`);
}

process.exitCode = await main(process.argv.slice(2));
