import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { openStore } from "../../src/store/store.ts";
import { folder, quietLog } from "../store/folder.ts";

const SCRIPT = `
const { openSearch } = await import(process.argv[1]);
const log = { debug() {}, info() {}, warn() {}, error() {} };
const search = openSearch({ stateDir: process.argv[2], recordings: process.argv[2] + "/recordings", log });
const { entries } = await search.search({ query: "nothing", limit: 1, by: "entries" });
process.stdout.write("answered " + entries.length);
`;

test("a process that only waits for an answer lives until it is there, and ends by itself afterwards", async (t) => {
  const state = join(folder(t), "state");
  const store = await openStore(state, quietLog());
  await store.close();
  const module = new URL("../../src/search/search.ts", import.meta.url).href;
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", SCRIPT, module, state];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
  assert.equal(stdout, "answered 0");
});
