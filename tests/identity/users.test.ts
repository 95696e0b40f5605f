import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createUidOf, uidNow } from "../../src/identity/users.ts";
import { folder } from "../store/folder.ts";

test("a user's number comes from the password file", (t) => {
  const file = join(folder(t), "passwd");
  writeFileSync(file, "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nbad:x:1e3:0::/:/\n");
  const uidOf = createUidOf(file);
  assert.deepEqual([uidOf("alice"), uidOf("bad"), uidOf("x"), uidOf("")], [1000, undefined, undefined, undefined]);
});

test("a user who came later is found", (t) => {
  const file = join(folder(t), "passwd");
  writeFileSync(file, "");
  const uidOf = createUidOf(file);
  assert.equal(uidOf("late-comer"), undefined);
  writeFileSync(file, "late-comer:x:1001:1001::/:/bin/sh\n");
  assert.equal(uidOf("late-comer"), 1001);
});

test("a user of the host's name services is found where the file does not name him", (t) => {
  assert.equal(createUidOf(join(folder(t), "none"))("root"), 0);
});

test("a number is never that of one who has gone, where it is asked for at this moment", async (t) => {
  const file = join(folder(t), "passwd");
  writeFileSync(file, "leaver:x:1002:1002::/:/bin/sh\n");
  assert.equal(await uidNow("leaver", file), 1002);
  writeFileSync(file, "comer:x:1002:1002::/:/bin/sh\n");
  assert.deepEqual([await uidNow("leaver", file), await uidNow("comer", file)], [undefined, 1002]);
  assert.equal(await uidNow("root", join(folder(t), "none")), 0); // by the host's name services
});
