/** The OpenAPI document: one that a stranger's validator takes, and of which the server keeps every word. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { ROUTES } from "../../src/control/api/routes.ts";
import { ask } from "../kit/api/ask.ts";
import { DOCUMENT, OPERATIONS } from "../kit/api/document.ts";
import { fakeDaemon, ROOT } from "./fake-daemon.ts";

test("the document is valid OpenAPI 3.1", async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(DOCUMENT));
  assert.equal(valid, true, JSON.stringify(errors));
});

test("a validator does not take just anything for valid", async () => {
  const spoilt = structuredClone(DOCUMENT);
  spoilt.paths["/v1/status"].get.responses = "fine";
  assert.equal((await new Validator().validate(spoilt)).valid, false);
});

test("every route is in the document, and every operation has an id of its own", () => {
  assert.equal(OPERATIONS.length, ROUTES.length);
  const ids = Object.values<object>(DOCUMENT.paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId),
  );
  assert.equal(new Set(ids).size, ROUTES.length);
});

const FILES = [
  { path: "a.yaml", text: "bad" },
  { path: "b.yaml", text: "doubtful" },
];

/** Those that take something, with it; of some, several. */
const SAMPLES: Readonly<Record<string, readonly (readonly [string, object?])[]>> = {
  "GET /v1/runs/environment": [["/v1/runs/environment?agent=ci"]],
  "GET /v1/runs/{id}": [["/v1/runs/r1"]],
  "POST /v1/tags": [
    ["/v1/tags", { agent: "ci", unit: "a.service", token: "a.b.c" }],
    ["/v1/tags", { agent: "ci", pid: 5, keepConnections: true }],
  ],
  "POST /v1/tags/remove": [["/v1/tags/remove", { container: "web" }]],
  "POST /v1/agents/{name}/quarantine": [["/v1/agents/ci/quarantine", { reason: "odd" }]],
  "POST /v1/agents/{name}/observe": [
    ["/v1/agents/ci/observe", { forMs: 60_000 }],
    ["/v1/agents/ci/observe", { untilMs: 1_800_000_000_000 }],
  ],
  "POST /v1/hooks/oci": [["/v1/hooks/oci", { id: "c", pid: 5, bundle: "/b", ociVersion: "1.2.0", status: "creating" }]],
  "GET /v1/approvals": [["/v1/approvals?all=1&limit=5"]],
  "GET /v1/approvals/{id}": [["/v1/approvals/hold1"]],
  "POST /v1/approvals/{id}/approve": [["/v1/approvals/hold1/approve", { forMs: 60_000, comment: "ok", digest: "01" }]],
  "GET /v1/delegations": [["/v1/delegations?all=1"]],
  "POST /v1/delegations": [
    ["/v1/delegations", { group: "corp:sre", to: "corp:ben", forMs: 60_000, reason: "on leave" }],
    ["/v1/delegations", { group: "sre", to: "ben", untilMs: 1_800_000_000_000 }],
  ],
  "DELETE /v1/delegations/{id}": [["/v1/delegations/3f2a91c04d"]],
  "POST /v1/connections": [
    [
      "/v1/connections",
      { name: "a", protocol: "postgres", addresses: ["a:1"], tls: { mode: "require" }, labels: { a: "b" } },
    ],
  ],
  "POST /v1/connections/{name}/rotate": [["/v1/connections/a/rotate", { password: "hunter2" }]],
  "GET /v1/sessions": [["/v1/sessions?agent=ci"]],
  "GET /v1/sessions/{id}": [["/v1/sessions/s1"]],
  "GET /v1/sessions/{id}/entries": [["/v1/sessions/s1/entries?from=90000ms"], ["/v1/sessions/t1/entries?from=2"]],
  "GET /v1/sessions/{id}/bundle": [["/v1/sessions/s1/bundle"]],
  "POST /v1/audit/verify": [["/v1/audit/verify", { session: "spoilt" }]],
  "POST /v1/data-keys/{id}/destroy": [["/v1/data-keys/a/destroy", { reason: "old" }]],
  "POST /v1/sessions/{id}/hold": [["/v1/sessions/s1/hold", { reason: "case 4711" }]],
  "GET /v1/search": [["/v1/search?q=a"], ["/v1/search?q=a&by=entries"], ["/v1/search?q=nothing&limit=3&cursor=x"]],
  "GET /v1/grants": [["/v1/grants?all=1"]],
  "POST /v1/grants": [
    ["/v1/grants", { agent: "ci", connections: ["orders"], forMs: 60_000, reason: "ticket" }],
    ["/v1/grants", { agent: "ci", connections: "*", forMs: 60_000 }],
  ],
  "POST /v1/grants/{id}/end": [["/v1/grants/0123456789/end", { reason: "done" }]],
  "POST /v1/agents/{name}/revoke": [["/v1/agents/ci/revoke", { reason: "odd" }]],
  "POST /v1/login/code": [["/v1/login/code", { login: "corp", redirectUri: "http://127.0.0.1:4711/callback" }]],
  "POST /v1/login/code/end": [["/v1/login/code/end", { code: "c", state: "s", iss: "https://corp.example" }]],
  "POST /v1/login/saml": [["/v1/login/saml", { login: "legacy" }]],
  "POST /v1/login/saml/end": [["/v1/login/saml/end", { response: "PHg+", relayState: "s" }]],
  "POST /v1/login/device/end": [
    ["/v1/login/device/end", { flow: "f1" }],
    ["/v1/login/device/end", { flow: "f2" }],
  ],
  "POST /v1/humans/revoke": [["/v1/humans/revoke", { who: "corp:ada" }]],
  "POST /v1/tokens": [["/v1/tokens", { name: "nightly", roles: ["auditor"], forMs: 60_000 }]],
  "DELETE /v1/tokens/{id}": [["/v1/tokens/70cc"]],
  "POST /v1/break-glass": [["/v1/break-glass", { reason: "the pager" }]],
  "GET /v1/break-glass": [["/v1/break-glass?all=1"]],
  "POST /v1/break-glass/{id}/review": [["/v1/break-glass/b1/review", { comment: "it was needed" }]],
  "GET /v1/notify": [["/v1/notify"]],
  "POST /v1/notify/{name}/test": [["/v1/notify/ops/test"], ["/v1/notify/other/test"]],
  "POST /v1/policy/check": [["/v1/policy/check", { files: FILES }]],
  "POST /v1/policy/explain": [
    ["/v1/policy/explain", { agent: "ci", connection: "orders", text: "select 1" }],
    ["/v1/policy/explain", { session: "s1", entry: 4 }],
  ],
  "POST /v1/policy/replay": [["/v1/policy/replay", { files: FILES, sessions: 5 }]],
  "POST /v1/policy/suggest": [["/v1/policy/suggest", { agent: "ci", sinceMs: 5 }]],
  "POST /v1/shutdown": [["/v1/shutdown", { remove: true }]],
};

for (const operation of OPERATIONS) {
  const { name, method, path } = operation;
  if (name === "POST /v1/runs") continue; // below: it takes a process
  test(`${name} answers as it is declared`, async (t) => {
    const daemon = await fakeDaemon(t);
    for (const [asked, body] of SAMPLES[name] ?? [[path.replaceAll(/\{\w+\}/g, "x")]]) {
      const headers = name === "POST /v1/break-glass" ? { authorization: "Bearer glass" } : {}; // root has not that role
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const got = await ask(daemon, asked, { method, headers, ...sent });
      assert.equal(got.status, 200, `${asked}: ${got.text}`);
      operation.check(got);
    }
  });
}

test("POST /v1/runs answers as it is declared", async (t) => {
  const daemon = await fakeDaemon(t);
  const child = spawn("/bin/cat", { stdio: ["pipe", "ignore", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child, "spawn");
  daemon.peer = { ...ROOT, pid: process.pid, uid: process.getuid?.() ?? 0 };
  const body = JSON.stringify({ agent: "ci", pid: child.pid, token: "a.b.c" });
  const got = await ask(daemon, "/v1/runs", { method: "POST", body });
  assert.equal(got.status, 200, got.text);
  OPERATIONS.find(({ name }) => name === "POST /v1/runs")?.check(got);
});

test("an event is told as it is declared", async (t) => {
  const daemon = await fakeDaemon(t, () => ({
    watchEvents: (onEvent) => {
      onEvent({
        atMs: 1,
        kind: "agent.tag",
        agent: "ci",
        message: "tagged",
        fields: { uid: 0, way: "run", new: true },
      });
      return () => {};
    },
  }));
  const got = await ask(daemon, "/v1/events/watch");
  assert.match(got.text, /^event: agent\.tag\ndata: /);
  OPERATIONS.find(({ path }) => path === "/v1/events/watch")?.check(got);
});
