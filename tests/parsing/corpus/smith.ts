/** Queries of SQLsmith, a random query generator of others; it only writes them here, and runs nothing. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { SessionOptions } from "../truth/session.ts";

const run = promisify(execFile);
const OUTPUT_BYTES_MAX = 512 * 1024 * 1024;

export async function smithQueries(
  { host, port, database }: SessionOptions,
  { seed, count }: { readonly seed: number; readonly count: number },
): Promise<readonly string[]> {
  const target = `--target=host=${host} port=${port} dbname=${database} user=postgres`;
  const texts: string[] = [];
  // Half of them over the system's own catalogs as well.
  for (const scope of [[], ["--exclude-catalog"]]) {
    const flags = [target, `--seed=${seed}`, `--max-queries=${Math.ceil(count / 2)}`, "--dry-run", ...scope];
    const { stdout } = await run("sqlsmith", flags, { maxBuffer: OUTPUT_BYTES_MAX }).catch((error: unknown) => {
      throw new Error("Cannot run sqlsmith: install Debian's package of that name, or pass --without-sqlsmith", {
        cause: error,
      });
    });
    texts.push(...stdout.split(/;\s*\n/).map((text) => text.trim()));
  }
  return [...new Set(texts)].filter((text) => /^(select|insert|update|delete|merge|with|values)\b/i.test(text));
}
