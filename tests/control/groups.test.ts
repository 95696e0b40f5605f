/** Commands are loaded by their words: each file has to add those, and a line has to find its own. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Command } from "commander";
import { GROUPS, groupsFor } from "../../src/control/cli/groups.ts";

const notOpened = () => assert.fail("no command runs here");

test("every group adds the commands that its words name, and no others", async () => {
  for (const { words, load } of GROUPS) {
    const program = new Command("sallyport");
    (await load())(program, notOpened);
    assert.deepEqual(program.commands.map((command) => command.name()).toSorted(), [...words].toSorted());
    for (const command of program.commands) assert.deepEqual(command.aliases(), []);
  }
  const all = GROUPS.flatMap(({ words }) => words);
  assert.equal(new Set(all).size, all.length);
});

test("global options that take a word are those of the program", () => {
  const text = readFileSync(new URL("../../src/control/cli/program.ts", import.meta.url), "utf8");
  const taking = [...text.matchAll(/new Option\("(--[a-z]+) </g)].map(([, name = ""]) => name);
  assert.ok(taking.length >= 3);
  for (const name of taking) assert.equal(groupsFor([name, "run", "sessions"])[0]?.words[0], "sessions", name);
});

const lines: readonly (readonly [line: string, words: string | undefined])[] = [
  ["sessions show abc", "sessions"],
  ["--json sessions", "sessions"],
  ["--run /run/x --json up", "up"],
  ["--run=/run/x run --as ci -- sessions", "run"],
  ["", undefined],
  ["--help", undefined],
  ["--version", undefined],
  ["nonsense", undefined],
  ["completion bash", undefined],
  ["man", undefined],
  ["--run", undefined],
  ["-- sessions", "sessions"],
];
for (const [line, words] of lines) {
  test(`"${line}" loads ${words ?? "all"}`, () => {
    const groups = groupsFor(line.split(" ").filter(Boolean));
    if (words === undefined) assert.equal(groups, GROUPS);
    else assert.deepEqual([groups.length, groups[0]?.words.includes(words)], [1, true]);
  });
}
