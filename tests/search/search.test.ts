/** What is recorded can be found: by words, by facts, by what was masked and shown, and nothing is said of what was not looked for. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { allow, answer, deny } from "../recorder/kit.ts";
import { ask, end, open, operation, said, world } from "./kit.ts";

const texts = (found: Awaited<ReturnType<typeof ask>>) => found.entries.map(({ text }) => text);

test("statements are found by word, phrase, beginning, and what they do not hold", async (t) => {
  const w = await world(t);
  const recording = open(w, "s1");
  said(recording, 1, "select name from customers");
  said(recording, 2, "select total from orders", operation("public.orders"));
  said(recording, 3, "delete from customers where name = 'ann lee'", operation("public.customers", { kind: "delete" }));
  await end(w, recording);
  assert.deepEqual(texts(await ask(w, "total")), ["select total from orders"]);
  assert.deepEqual(texts(await ask(w, "TOTAL orders")), ["select total from orders"]);
  assert.equal((await ask(w, '"ann lee"')).entries.length, 1);
  assert.equal((await ask(w, '"lee ann"')).entries.length, 0);
  assert.equal((await ask(w, "custom*")).entries.length, 2);
  assert.deepEqual(texts(await ask(w, "custom* -delete")), ["select name from customers"]);
  assert.deepEqual(texts(await ask(w, "select -table:public.orders")), ["select name from customers"]);
});

test("facts are found by their terms", async (t) => {
  const w = await world(t);
  const recording = open(w, "s1");
  said(
    recording,
    1,
    "select * from customers",
    operation("public.customers", { functions: ["lower"], oracles: ["pii"] }),
  );
  said(recording, 2, "select * from people", operation(".people"));
  recording.asked(
    3,
    [{ operation: operation("public.customers", { kind: "drop-table" }), text: "drop table customers" }],
    deny,
  );
  said(recording, 4, "select 1/0", operation("public.b"));
  recording.asked(5, [{ operation: operation("public.c"), text: "select broken" }], {
    ...deny,
    kind: "allow",
  } as never);
  recording.answered({ ...answer(5), error: { code: "42501", message: "permission denied" } });
  await end(w, recording);
  const other = open(w, "s2", { agent: { slot: 2, name: "bot", groups: [], claims: {} } });
  said(other, 1, "select * from customers", operation("public.customers"));
  await end(w, other);
  const rows: readonly (readonly [query: string, entries: number])[] = [
    ["agent:ci", 5],
    ["agent:bot", 1],
    ["agent:ci,bot", 6],
    ["-agent:ci", 1],
    ["group:builders", 5],
    ["claim.branch:main", 5],
    ["claim.branch:other", 0],
    ["connection:orders protocol:postgres user:builder uid:1000 pid:42 exe:/usr/bin/psql", 6],
    ["exe:/usr/bin/*", 6],
    ["session:s2", 1],
    ["table:public.customers", 3],
    ["table:customers agent:bot", 1],
    ["table:public.people", 1],
    ["table:other.people", 1],
    ["table:other.customers", 0],
    ["function:lower", 1],
    ["oracle:pii", 1],
    ["statement:drop-table", 1],
    ["action:sql.*", 6],
    ["decision:deny", 1],
    ["decision:deny rule:no-ddl drop", 1],
    ["rule:no-ddl -decision:deny", 1],
    ["error:42501", 1],
    ["permission", 1],
    ["agents", 1],
    ["since:1h", 6],
    ["until:2000-01-01", 0],
    ["kind:operation", 6],
  ];
  for (const [query, entries] of rows) {
    const found = await ask(w, query, { by: "entries" });
    assert.equal(found.entries.length, entries, query);
  }
  assert.deepEqual(
    (await ask(w, "agent:bot")).sessions.map(({ id }) => id),
    ["s2"],
  );
});

test("whether an agent read what a detector finds is masked, shown, or not looked for, and the three are told apart", async (t) => {
  const w = await world(t);
  const looking = open(w, "looked");
  looking.looking(new Set(["payment-card"]), "p1");
  looking.asked(1, [{ operation: operation("public.customers"), text: "select card, mail from customers" }], {
    ...deny,
    kind: "allow",
  } as never);
  looking.answered({
    ...answer(1, 9),
    masks: [{ column: "customers.card", by: "detector:payment-card", count: 5 }],
    shown: [
      { column: "customers.mail", by: "detector:payment-card", count: 2 },
      { column: "customers.mail", by: "label:pii,contact", count: 9 },
    ],
  });
  await end(w, looking);
  const blind = open(w, "blind");
  said(blind, 1, "select * from customers");
  await end(w, blind);
  const partly = open(w, "partly");
  partly.looking(new Set(["payment-card", "email"]), "p1");
  said(partly, 1, "select 1");
  partly.looking(new Set(["email"]), "p2");
  await end(w, partly);

  const found = await ask(w, "agent:ci detector:payment-card");
  assert.equal(found.by, "sessions");
  assert.deepEqual(
    found.sessions.map(({ id, findings }) => [id, findings]),
    [
      [
        "looked",
        [
          { column: "customers.card", by: "detector:payment-card", masked: 5, shown: 0 },
          { column: "customers.mail", by: "detector:payment-card", masked: 0, shown: 2 },
        ],
      ],
    ],
  );
  assert.deepEqual(found.totals, { sessions: 1, masked: 5, shown: 2 });
  const [looked] = found.looked;
  assert.deepEqual([looked?.sessions, looked?.notLooked, looked?.partly, looked?.examples], [3, 1, 1, ["blind"]]);

  assert.deepEqual((await ask(w, "detector:payment-card value:shown")).totals, { sessions: 1, masked: 0, shown: 2 });
  assert.deepEqual((await ask(w, "detector:payment-card column:card value:shown")).totals, {
    sessions: 0,
    masked: 0,
    shown: 0,
  });
  assert.deepEqual((await ask(w, "label:contact")).totals, { sessions: 1, masked: 0, shown: 9 });
  assert.deepEqual((await ask(w, "detector:email")).totals, { sessions: 0, masked: 0, shown: 0 });
  assert.equal((await ask(w, "detector:email")).looked[0]?.notLooked, 2);
});

test("a value that was too long to be searched is found as shown, whatever it is asked about", async (t) => {
  const w = await world(t);
  const long = open(w, "long");
  long.looking(new Set(["payment-card"]), "p1");
  long.asked(1, [{ operation: operation("public.notes"), text: "select body from notes" }], allow);
  long.answered({ ...answer(1), shown: [{ column: "(row)", by: "too-long", count: 1 }] });
  await end(w, long);
  const found = await ask(w, "detector:payment-card");
  assert.deepEqual(found.totals, { sessions: 1, masked: 0, shown: 1 });
  assert.deepEqual(
    found.looked.map(({ detector }) => detector),
    ["payment-card"],
  );
  assert.deepEqual((await ask(w, "detector:payment-card value:masked")).totals?.sessions, 0);
  assert.equal((await ask(w, "detector:too-long")).totals?.shown, 1);
  assert.equal((await ask(w, "-detector:payment-card", { by: "entries" })).entries.length, 1);
});

test("a beginning of a detector's name is the detectors that begin so, and each is told where it did not look", async (t) => {
  const w = await world(t);
  const blind = open(w, "blind");
  said(blind, 1, "select 1");
  await end(w, blind);
  const { looked } = await ask(w, "detector:p*");
  assert.deepEqual(looked.map(({ detector, notLooked }) => [detector, notLooked]).sort(), [
    ["payment-card", 1],
    ["phone", 1],
    ["private-key", 1],
  ]);
  const both = open(w, "both");
  both.asked(1, [{ operation: operation("public.a"), text: "select 2" }], allow);
  both.answered({ ...answer(1), masks: [{ column: "a", by: "detector:email", count: 4 }] });
  await end(w, both);
  assert.deepEqual((await ask(w, "value:*")).totals, { sessions: 1, masked: 4, shown: 0 });
  await assert.rejects(ask(w, "detector:zzz*"), { code: "SEARCH_QUERY" });
});

test("a session that could not be read in full is counted: never is not said of what nobody has seen", async (t) => {
  const w = await world(t);
  for (const id of ["whole", "flipped", "cut"]) {
    const recording = open(w, id);
    recording.looking(new Set(["payment-card"]), "p1");
    for (let at = 1; at <= 3; at++) {
      said(recording, at, `select ${at}`);
      await recording.flush();
    }
    if (id !== "whole") await w.search.close();
    await end(w, recording);
    const [file = ""] = readdirSync(join(w.state, "recordings"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.includes(`${id}.0001`),
    );
    const path = join(w.state, "recordings", file);
    const bytes = readFileSync(path);
    if (id === "flipped") bytes.writeUInt8(bytes.readUInt8(bytes.length - 400) ^ 0xff, bytes.length - 400);
    if (id !== "whole") writeFileSync(path, id === "cut" ? bytes.subarray(0, bytes.length - 300) : bytes);
    await w.reopen();
  }
  const found = await ask(w, "agent:ci detector:payment-card");
  assert.deepEqual([found.sessions.length, found.looked[0]?.notLooked, found.unread], [0, 0, 2]);
  assert.equal((await ask(w, "session:whole detector:payment-card")).unread, 0);
});

test("a session that runs is found up to now, and what comes later is found later, once", async (t) => {
  const w = await world(t);
  const recording = open(w, "live");
  said(recording, 1, "select first");
  recording.asked(2, [{ operation: operation("public.slow"), text: "select slow" }], {
    ...deny,
    kind: "allow",
  } as never);
  recording.flush();
  assert.deepEqual(texts(await ask(w, "select")), ["select first"]);
  recording.answered({ ...answer(2), masks: [{ column: "a", by: "detector:email", count: 1 }] });
  said(recording, 3, "select first");
  recording.flush();
  const found = await ask(w, "select", { by: "entries" });
  assert.deepEqual(
    found.entries.map(({ text, count }) => [text, count]),
    [
      ["select slow", 1],
      ["select first", 2],
    ],
  );
  assert.deepEqual((await ask(w, "table:slow detector:email")).totals, { sessions: 1, masked: 1, shown: 0 });
  await end(w, recording);
});

test("events are found with their kinds, and by whom they are about", async (t) => {
  const w = await world(t);
  const recording = open(w, "s1");
  said(recording, 1, "select 1");
  await end(w, recording);
  const fields = { pid: 77, executable: "/usr/bin/curl", user: "eve" };
  await w.store.events.append([
    {
      atMs: Date.now(),
      kind: "session.start",
      agent: "ci",
      sessionId: "s1",
      connection: "orders",
      message: "ci connected",
    },
    { atMs: Date.now(), kind: "kernel.deny", agent: "ci", message: "A connect was refused", fields },
    { atMs: Date.now(), kind: "kernel.deny", agent: "bot", message: "A connect was refused", fields: { pid: 78 } },
  ]);
  assert.equal((await ask(w, "kind:kernel.*")).entries.length, 2);
  assert.equal((await ask(w, "kind:kernel.deny agent:ci")).entries.length, 1);
  assert.equal((await ask(w, "kind:kernel.deny exe:/usr/bin/curl user:eve pid:77")).entries.length, 1);
  assert.equal((await ask(w, "curl")).entries.length, 1);
  const [start] = (await ask(w, "kind:session.start user:builder")).entries;
  assert.deepEqual([start?.session, start?.message], ["s1", "ci connected"]);
});

test("pages follow each other without a gap or a double", async (t) => {
  const w = await world(t);
  const recording = open(w, "s1");
  for (let id = 1; id <= 15; id++) said(recording, id, `select ${id} from t${id}`, operation(`public.t${id}`));
  await end(w, recording);
  const all: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await ask(w, "select", { limit: 4, ...(cursor === undefined ? {} : { cursor }) });
    all.push(...texts(page));
    cursor = page.next;
  } while (cursor !== undefined);
  assert.deepEqual(
    all,
    Array.from({ length: 15 }, (_, at) => `select ${15 - at} from t${15 - at}`),
  );
  await assert.rejects(ask(w, "select", { cursor: "1; drop table" }), { code: "SEARCH_QUERY" });
});

const hostile = [
  `"' OR 1=1 --"`,
  `"a"" OR b"`,
  `"NEAR(a b)"`,
  `"^a"`,
  `"a*" b`,
  `agent:"' OR 1=1 --"`,
  `table:"*"`,
  `"{text}: a"`,
];
test("what looks like SQL or a full-text operator is only text", async (t) => {
  const w = await world(t);
  const recording = open(w, "s1");
  said(recording, 1, "select nothing of the kind");
  await end(w, recording);
  for (const query of hostile) assert.deepEqual((await ask(w, query)).entries, [], query);
  assert.equal((await ask(w, "nothing")).entries.length, 1);
});

test("what was held is found as such whatever came of it, by who answered and by the hold", async (t) => {
  const w = await world(t);
  const recording = open(w, "s1");
  const asked = [{ operation: operation("public.a"), text: "delete from a" }];
  recording.asked(1, asked, { kind: "hold", rules: ["deletes"], message: "Wait", policy: "p1" } as never, "hold-1");
  const approval = { hold: "hold-1", by: ["alice (sre)"] };
  recording.decided(1, { ...deny, kind: "allow", rules: ["deletes"], approval } as never);
  recording.answered(answer(1));
  await end(w, recording);
  for (const query of ["decision:hold", "approver:alice", 'approver:"alice (sre)"', "hold:hold-1 decision:allow"]) {
    assert.equal((await ask(w, query)).entries.length, 1, query);
  }
});

test("more sessions than one look sees are all found, and so are those that come later", async (t) => {
  const w = await world(t);
  const row = (n: number) => ({
    ...{ id: `gone${n}`, agent: "bulk", connection: "orders", protocol: "postgres", pid: 1, uid: 0, user: "u" },
    ...{
      executable: "/x",
      address: "a",
      port: 1,
      startedMs: Date.now(),
      endedMs: Date.now(),
      statements: 0,
      denied: 0,
    },
    ...({ masked: 0, rows: 0, bytesIn: 0, bytesOut: 0, state: "ended", file: "2026-01-31/gone.0001.rec" } as const),
  });
  for (let n = 0; n < 2_500; n++) w.store.sessions.put(row(n));
  const recording = open(w, "real");
  said(recording, 1, "select needle_7731");
  await end(w, recording);
  let found = await ask(w, "needle_7731");
  for (let tries = 0; found.entries.length === 0 && tries < 20; tries++) found = await ask(w, "needle_7731");
  assert.equal(found.entries.length, 1);
  const later = open(w, "later");
  said(later, 1, "select needle_7732");
  await end(w, later);
  assert.equal((await ask(w, "needle_7732")).entries.length, 1);
});
