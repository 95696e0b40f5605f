import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENT_KINDS, FIELD_GROUPS } from "../../src/audit/kinds.ts";
import { OCSF_VERSION, toOcsf } from "../../src/audit/ocsf.ts";
import type { AuditEvent } from "../../src/model/event.ts";
import { ocsfFaults, SCHEMA } from "./ocsf-schema.ts";

const SOURCE = { hostName: "host.example", version: "0.1.0" };
const VALUES: Readonly<Record<string, string | number>> = {
  ...{ pid: 12, uid: 1000, user: "ada", comm: "psql", executable: "/usr/bin/psql", cgroup: "/job", cgroupId: "7" },
  ...{ sourceAddress: "127.0.0.1", sourcePort: 40_000, source: "127.0.0.1", address: "192.0.2.1", port: 5432 },
  ...{ protocol: "postgres", groups: "ci builders", policy: "abc", actions: "sql.read sql.delete", rules: "no-ddl" },
};

function full(kind: string, more: Readonly<Record<string, string | number>> = {}): AuditEvent {
  const { fields = [], groups = [] } = EVENT_KINDS[kind] ?? {};
  const names = [...fields, ...groups.flatMap((group) => FIELD_GROUPS[group])].filter((name) => !name.includes("*"));
  const all = Object.fromEntries(names.map((name) => [name, VALUES[name] ?? "some"]));
  const about = { agent: "ci", connection: "orders", sessionId: "abcdefghijkmnpqr" };
  return { atMs: 1_767_225_600_000, kind, message: "one sentence", ...about, fields: { ...all, ...more } };
}

test("the schema that is checked against is the one that events name", () => {
  assert.equal(SCHEMA.version, OCSF_VERSION);
});

for (const kind of Object.keys(EVENT_KINDS)) {
  test(`${kind} is valid OCSF with all its fields, and with none`, () => {
    assert.deepEqual(ocsfFaults(toOcsf(full(kind), 7, SOURCE)), []);
    assert.deepEqual(ocsfFaults(toOcsf({ atMs: 1, kind, message: "one sentence" }, 1, SOURCE)), []);
  });
}

test("a call over the network names its human, what they showed and where from, and no process and no user of this host", () => {
  const fields = { method: "POST", route: "/v1/x", status: 200, source: "192.0.2.9", human: "corp:ada" };
  const event = toOcsf(
    { atMs: 1, kind: "api.call", message: "m", fields: { ...fields, credential: "token 70cc" } },
    1,
    SOURCE,
  );
  assert.deepEqual(ocsfFaults(event), []);
  assert.deepEqual(event["actor"], { user: { uid: "corp:ada", type_id: 1, credential_uid: "token 70cc" } });
  assert.deepEqual(event["src_endpoint"], { hostname: SOURCE.hostName, ip: "192.0.2.9" });
  assert.ok(!JSON.stringify(event).includes("4294967295"));
});

test("a kind that this version does not know is a base event, and loses nothing", () => {
  const event = toOcsf({ atMs: 1, kind: "new.kind", message: "m", fields: { secretless: 5 } }, 3, SOURCE);
  assert.deepEqual(ocsfFaults(event), []);
  assert.equal(event["class_uid"], 0);
  assert.deepEqual(event["unmapped"], { secretless: 5 });
});

const calls = [
  { fields: { method: "GET", route: "/v1/search", status: 200, uid: 0, pid: 7 }, type: 600302, status: 1, user: "0" },
  {
    fields: { method: "POST", route: "/v1/tags", status: 403, uid: 1001, pid: 7 },
    type: 600303,
    status: 2,
    user: "1001",
  },
  {
    fields: { method: "DELETE", route: "/v1/x", status: 200, source: "192.0.2.9", human: "h1" },
    type: 600304,
    status: 1,
    user: "h1",
  },
  { fields: { method: "PUT", route: "", status: 401, source: "192.0.2.9" }, type: 600399, status: 2, user: "unknown" },
] as const;
for (const { fields, type, status, user } of calls) {
  test(`a call ${fields.method} ${fields.route} that is answered with ${fields.status} is of type ${type}, by ${user}`, () => {
    const event = toOcsf({ atMs: 1, kind: "api.call", message: "m", fields }, 1, SOURCE);
    assert.deepEqual(ocsfFaults(event), []);
    const actor = event["actor"] as { user: { uid: string } };
    assert.deepEqual([event["type_uid"], event["status_id"], actor.user.uid], [type, status, user]);
  });
}

const actions = [
  { fields: { protocol: "postgres", actions: "sql.read" }, is: 600501 },
  { fields: { protocol: "postgres", actions: "sql.read sql.update" }, is: 600502 },
  { fields: { protocol: "postgres", actions: "connect" }, is: 600503 },
  { fields: { protocol: "postgres", actions: "sql.call" }, is: 600504 },
  { fields: { protocol: "postgres", actions: "sql.insert" }, is: 600505 },
  { fields: { protocol: "postgres", actions: "sql.define" }, is: 600506 },
  { fields: { protocol: "postgres", actions: "sql.read sql.delete" }, is: 600507 },
  { fields: { protocol: "kubernetes", actions: "kubernetes.exec" }, is: 600399 },
  { fields: { protocol: "ssh", actions: "ssh.exec" }, is: 400705 },
  {
    fields: { protocol: "http", actions: "http.request", method: "DELETE", path: "/users/1", host: "api" },
    is: 400202,
  },
  { fields: { protocol: "opaque", actions: "connect" }, is: 400105 },
] as const;

for (const { fields, is } of actions) {
  test(`a refused ${fields.actions} over ${fields.protocol} is of type ${is}`, () => {
    const event = toOcsf({ ...full("action.deny"), fields }, 1, SOURCE);
    assert.deepEqual(ocsfFaults(event), []);
    assert.equal(event["type_uid"], is);
    assert.equal(event["disposition_id"], 2);
  });
}

const broken: readonly { readonly name: string; readonly spoil: (event: Record<string, unknown>) => void }[] = [
  { name: "a required attribute that is missing", spoil: (event) => Reflect.deleteProperty(event, "severity_id") },
  { name: "a value that is not in its enumeration", spoil: (event) => Object.assign(event, { activity_id: 55 }) },
  { name: "an attribute that the class does not have", spoil: (event) => Object.assign(event, { agent: "ci" }) },
  { name: "a type that is not its class and activity", spoil: (event) => Object.assign(event, { type_uid: 1 }) },
  { name: "an object without what it needs", spoil: (event) => Object.assign(event, { database: { name: "x" } }) },
  { name: "another version", spoil: (event) => Object.assign(event, { metadata: { version: "1.0.0", product: {} } }) },
  { name: "a time that is a text", spoil: (event) => Object.assign(event, { time: "now" }) },
];

for (const { name, spoil } of broken) {
  test(`control: the check finds ${name}`, () => {
    const event = { ...toOcsf(full("action.deny"), 1, SOURCE) };
    spoil(event);
    assert.notDeepEqual(ocsfFaults(event), []);
  });
}
