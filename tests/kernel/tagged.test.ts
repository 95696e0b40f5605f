import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { cgroupIdOf } from "../../src/kernel/cgroups.ts";
import { type KernelTag, TaggedCgroups } from "../../src/kernel/tagged.ts";
import { folder } from "../store/folder.ts";

/** A mount with /a/b/c, a task in /a/b, and what the kernel holds as tagged. */
function world(t: TestContext) {
  const root = join(folder(t), "unified");
  mkdirSync(join(root, "a/b/c"), { recursive: true });
  const place = join(root, "task");
  mkdirSync(place);
  const enter = (path: string) => writeFileSync(join(place, "cgroup"), `1:name=systemd:/x\n0::${path}\n`);
  enter("/a/b");
  const tag = (path: string, agent: number): KernelTag => ({ cgroupId: cgroupIdOf(join(root, path)) ?? 0n, agent });
  const held: KernelTag[] = [];
  return { place, enter, tag, held, tagged: new TaggedCgroups(root, () => held) };
}

test("a task has the tag of its own cgroup or of one above, the deepest first", (t) => {
  const { place, tag, held, tagged } = world(t);
  held.push(tag("a", 1));
  assert.equal(tagged.tagOf(place)?.agent, 1);
  held.push(tag("a/b", 2));
  tagged.refresh();
  assert.equal(tagged.tagOf(place)?.agent, 2);
});

test("a tag below a task's cgroup, or beside it, is not the task's", (t) => {
  const { place, enter, tag, held, tagged } = world(t);
  held.push(tag("a/b/c", 1));
  assert.equal(tagged.tagOf(place), undefined);
  enter("/a/b/c");
  assert.equal(tagged.tagOf(place)?.agent, 1);
});

test("a new tag is noticed at once, the end of one at the next refresh", (t) => {
  const { place, tag, held, tagged } = world(t);
  assert.equal(tagged.tagOf(place), undefined);
  held.push(tag("a/b", 3));
  assert.equal(tagged.tagOf(place)?.agent, 3);
  held.pop();
  tagged.refresh();
  assert.equal(tagged.tagOf(place), undefined);
});

test("a task that is gone, or whose cgroup is, has no tag", (t) => {
  const { place, enter, tag, held, tagged } = world(t);
  held.push(tag("a/b", 1));
  enter("/gone (deleted)");
  assert.equal(tagged.tagOf(place), undefined);
  assert.equal(tagged.tagOf(join(place, "gone")), undefined);
});
