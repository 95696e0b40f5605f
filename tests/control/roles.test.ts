/** The table of docs/roles.md, asked of the server line by line: who may not is refused with 403, and nobody else. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROUTES } from "../../src/control/api/routes.ts";
import type { Peer } from "../../src/control/ports.ts";
import { GIVEN_ROLES, type Role } from "../../src/model/role.ts";
import { ask } from "../kit/api/ask.ts";
import { fakeDaemon, ROOT, STRANGER } from "./fake-daemon.ts";
import { callerCalled } from "./fake-humans.ts";

const PAGE = readFileSync(join(import.meta.dirname, "..", "..", "docs", "roles.md"), "utf8");

/** Of each route, for each role in the order of the columns, whether it says yes. */
const MATRIX = [...PAGE.matchAll(/^\| `(GET|POST|DELETE) (\S+)` \|(.*)\|[^|]*\|$/gm)].map(
  ([, method = "", path = "", cells = ""]) => ({
    ...{ method, path: path.replaceAll(/:\w+/g, "x") },
    allowed: cells.split("|").map((cell) => cell.trim() === "yes"),
  }),
);

test("the table has every route and every role", () => {
  assert.equal(MATRIX.length, ROUTES.length);
  for (const { allowed } of MATRIX) assert.equal(allowed.length, GIVEN_ROLES.length);
});

/** Knows the holder of one role by the role's name, and nobody by another word. */
const known = (role: Role) => ({
  authenticate: async (bearer: string) => (bearer === role ? callerCalled(role, role) : undefined),
});

for (const [column, role] of GIVEN_ROLES.entries()) {
  test(`${role} is refused with 403 exactly where the table does not say yes`, async (t) => {
    for (const { method, path, allowed } of MATRIX) {
      const daemon = await fakeDaemon(t, () => known(role));
      daemon.peer = STRANGER; // whose user alone may nothing
      const { status, code } = await ask(daemon, path, { method, headers: { authorization: `Bearer ${role}` } });
      assert.equal(status === 403, allowed[column] !== true, `${method} ${path}: ${status} ${code}`);
      if (status === 403) assert.deepEqual([code, daemon.calls], ["API_NOT_PERMITTED", []]);
    }
  });
}

const GUARDED = { ...ROOT, tagged: true };
const SHOWN = { authorization: "Bearer admin" };
const nobody: readonly (readonly [string, Peer, Readonly<Record<string, string>>, number])[] = [
  ["a user without a role", STRANGER, {}, 403],
  ["a guarded process, whatever it shows", GUARDED, SHOWN, 403],
  ["a guarded process that is root", GUARDED, {}, 403],
  ["a session that is over, shown by root", ROOT, { authorization: "Bearer over" }, 401],
  ["a password instead of a session", ROOT, { authorization: "Basic YWRtaW46YWRtaW4=" }, 401],
  ["an empty session", ROOT, { authorization: "Bearer " }, 401],
];
for (const [name, peer, headers, expected] of nobody) {
  test(`${name} is refused with ${expected} at every route, and no port is called`, async (t) => {
    const daemon = await fakeDaemon(t, () => known("admin"));
    daemon.peer = peer;
    for (const { method, path } of MATRIX) {
      const { status } = await ask(daemon, path, { method, headers });
      assert.equal(status, expected, `${method} ${path}`);
    }
    assert.deepEqual(daemon.calls, []);
  });
}

test("a port is told whose session it was, and which process showed it", async (t) => {
  const callers: unknown[] = [];
  const daemon = await fakeDaemon(t, (ports) => ({
    ...known("admin"),
    agents: {
      ...ports.agents,
      async release(agent, caller) {
        callers.push(caller);
        return { agent, state: "enforced" };
      },
    },
  }));
  daemon.peer = STRANGER;
  await ask(daemon, "/v1/agents/ci/quarantine", { method: "DELETE", headers: SHOWN });
  const { pid, uid } = STRANGER;
  assert.deepEqual(callers, [{ roles: new Set(["admin"]), pid, uid, acting: callerCalled("admin", "admin").acting }]);
});
