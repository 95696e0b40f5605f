import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { leaveUndecided, UNDECIDED_FILES } from "../../src/daemon/hooks.ts";
import type { Matcher } from "../../src/model/matcher.ts";
import { capture } from "../kit/daemon.ts";
import { folder } from "../store/folder.ts";

const LABELLED: Matcher = { kind: "container", name: undefined, image: undefined, labels: { team: "ci" } };
const settings = (match: readonly Matcher[]) => [{ name: "ci", match }];

test("what is left for hooks is root's alone", (t) => {
  const dir = join(folder(t), "state dir");
  leaveUndecided(dir, "/cgroup", settings([LABELLED]));
  const modes = UNDECIDED_FILES.map((name) => statSync(join(dir, name)).mode & 0o777);
  assert.deepEqual(modes, [0o700, 0o600]);
});

test("without matchers of containers nothing is left, and what was there is taken away", (t) => {
  const dir = folder(t);
  leaveUndecided(dir, "/cgroup", settings([LABELLED]));
  leaveUndecided(dir, "/cgroup", settings([{ kind: "unit", glob: "a.service" }]));
  assert.deepEqual(
    UNDECIDED_FILES.filter((name) => existsSync(join(dir, name))),
    [],
  );
});

test("what is left for hooks cannot decide on a state that is none", async (t) => {
  const dir = folder(t);
  leaveUndecided(dir, "/cgroup", settings([LABELLED]));
  assert.equal((await capture(join(dir, "undecided"), [], { input: "{" })).code, 1);
});
