import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf, messageOf, ProtocolError, UserError } from "../../src/base/errors.ts";

const codes = [
  { name: "an errno error", thrown: Object.assign(new Error("no"), { code: "ECONNREFUSED" }), code: "ECONNREFUSED" },
  { name: "a protocol error", thrown: new ProtocolError("FRAME_LENGTH", "too long"), code: "FRAME_LENGTH" },
  { name: "a user error", thrown: new UserError("PORT_IN_USE", "taken", "free it"), code: "PORT_IN_USE" },
  { name: "an error without a code", thrown: new Error("no"), code: "INTERNAL" },
  { name: "an error whose code is a number", thrown: Object.assign(new Error("no"), { code: 5 }), code: "INTERNAL" },
  { name: "an object that is no error", thrown: { code: "FAKE" }, code: "INTERNAL" },
  { name: "nothing", thrown: undefined, code: "INTERNAL" },
] as const;
for (const { name, thrown, code } of codes) {
  test(`codeOf of ${name} is ${code}`, () => assert.equal(codeOf(thrown), code));
}

test("messageOf takes an error's message and the text of anything else", () => {
  assert.equal(messageOf(new Error("why")), "why");
  assert.equal(messageOf("plain"), "plain");
  assert.equal(messageOf(undefined), "undefined");
});

test("a user error keeps its remedy, its exit code and its cause", () => {
  const cause = new Error("EACCES");
  const error = new UserError("NOT_PERMITTED", "Cannot do it", "Ask root", { cause, exitCode: 4 });
  assert.deepEqual([error.remedy, error.exitCode, error.cause], ["Ask root", 4, cause]);
});

test("a user error that names no exit code exits with 1", () => {
  assert.equal(new UserError("FAILED", "Cannot do it", "Try again").exitCode, 1);
});
