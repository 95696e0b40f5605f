/** What is told of a held action in each kind of message: no more than the settings say, and nothing that acts by itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTIFY_TEXT_MAX } from "../../src/base/limits.ts";
import type { HoldRecord } from "../../src/holds/record.ts";
import type { Moment } from "../../src/model/notify.ts";
import { messageOf } from "../../src/notify/kinds.ts";
import { concerns, momentOf, noticeOf, testNotice, wants } from "../../src/notify/notice.ts";
import { DIGEST, HOLD, JUDGING, NOW, record } from "./kit.ts";

const kinds = ["slack", "teams", "webhook"] as const;
const ADA = {
  ...{ uid: 2001, name: "ada (sre)", accounts: ["unix:2001"], groups: ["sre"], atMs: NOW },
  reach: "own",
} as const;

test("a webhook gets one documented shape, with ids alone unless told", () => {
  assert.deepEqual(messageOf({ kind: "webhook" }, noticeOf(record(), "held", NOW, "ids", JUDGING)), {
    type: "notice.held",
    timestamp: "2026-01-31T12:00:00.000Z",
    data: {
      ...{ hold: HOLD, state: "waiting", agent: "ci", connection: "orders", protocol: "postgres" },
      ...{ rules: ["deletes"], message: "Deletes need a reviewer", actions: ["sql.delete"], tables: ["public.orders"] },
      ...{ approvers: ["1 of sre"], missing: "1 more of sre (rule deletes)", digest: DIGEST, approvedBy: [] },
      ...{ openedAt: "2026-01-31T12:00:00.000Z", expiresAt: "2026-01-31T12:10:00.000Z" },
    },
  });
  const { data } = noticeOf(record(), "held", NOW, "statements", JUDGING);
  assert.deepEqual(data.statements, record().statements);
});

for (const kind of kinds) {
  test(`${kind}: with ids, nothing of statements, parameters, processes, results and the rest of the digest leaves`, () => {
    const ended = record({ state: "executed", endedMs: NOW, result: "DELETE 5", reason: "because of hunter2" });
    for (const one of [record(), ended]) {
      const text = JSON.stringify(messageOf({ kind }, noticeOf(one, "held", NOW, "ids", JUDGING)));
      assert.ok(text.includes(HOLD) && text.includes("sql.delete") && text.includes("public.orders"), text);
      for (const word of ["where id", "psql", "runner", "DELETE 5", "hunter2", `${DIGEST}c`])
        assert.ok(!text.includes(word));
    }
  });

  test(`${kind}: with statements they are told as they were recorded, with their parameters`, () => {
    const text = JSON.stringify(messageOf({ kind }, noticeOf(record(), "held", NOW, "statements", JUDGING)));
    assert.ok(text.includes("delete from orders where id = $1"), text);
  });

  test(`${kind}: a test message has nothing to answer`, () => {
    const text = JSON.stringify(messageOf({ kind }, testNotice(NOW)));
    assert.ok(text.includes("A test") && !text.includes("approve"), text);
  });
}

interface Block {
  readonly type: string;
  readonly text?: { readonly type: string; readonly text: string };
  readonly fields?: readonly { readonly type: string; readonly text: string }[];
  readonly elements?: readonly { readonly action_id: string; readonly value: string }[];
}

function blocks(one: HoldRecord, moment: Moment = "held", show: "ids" | "statements" = "ids"): readonly Block[] {
  return (messageOf({ kind: "slack" }, noticeOf(one, moment, NOW, show, JUDGING)) as { blocks: readonly Block[] })
    .blocks;
}
const buttons = (all: readonly Block[]) =>
  all.find(({ type }) => type === "actions")?.elements?.map(({ action_id, value }) => [action_id, value]);

test("slack: the buttons carry the hold and what was shown of its digest, while it waits", () => {
  const both = [
    ["approve", `${HOLD} ${DIGEST}`],
    ["deny", `${HOLD} ${DIGEST}`],
  ];
  assert.deepEqual(buttons(blocks(record())), both);
  assert.deepEqual(buttons(blocks(record({ votes: [ADA] }), "answered")), both); // a second one is needed
  for (const state of ["approved", "executed", "denied", "expired", "abandoned"] as const) {
    assert.equal(buttons(blocks(record({ state, endedMs: NOW }), "ended")), undefined, state);
  }
});

test("what does not fit whole is not shown in part, and cannot be answered by that message", () => {
  const [statement] = record().statements;
  assert.ok(statement !== undefined);
  const long = (length: number) => record({ statements: [{ ...statement, parameters: [], text: "x".repeat(length) }] });
  assert.equal(buttons(blocks(long(NOTIFY_TEXT_MAX), "held", "statements"))?.length, 2);
  const cut = blocks(long(NOTIFY_TEXT_MAX + 1), "held", "statements");
  assert.equal(buttons(cut), undefined);
  const text = JSON.stringify(cut);
  assert.ok(text.includes(`sallyport approvals show ${HOLD}`) && !text.includes("xxx") && !text.includes(DIGEST), text);
  const card = JSON.stringify(messageOf({ kind: "teams" }, noticeOf(long(5_000), "held", NOW, "statements", JUDGING)));
  assert.ok(card.includes("sallyport approvals show") && !card.includes(DIGEST), card);
});

const HOSTILE = "<!channel> [go](https://evil.example) <https://evil.example|ok> *x* \u202eevil\u001b[2J";
const hostile = record({
  tables: [{ name: HOSTILE, access: "write", labels: [], columnLabels: [] }],
  statements: [{ text: `${HOSTILE}\nsecond`, parameters: [], actions: ["sql.delete"] }],
  message: HOSTILE,
});

test("slack: nothing that an agent wrote is read as markup, mention or link", () => {
  const message = messageOf({ kind: "slack" }, noticeOf(hostile, "held", NOW, "statements", JUDGING)) as {
    text: string;
  };
  assert.ok(!/[<>]/.test(message.text), message.text);
  for (const { text, fields = [] } of blocks(hostile, "held", "statements")) {
    for (const { type } of text === undefined ? fields : [text, ...fields]) assert.equal(type, "plain_text");
  }
  const all = JSON.stringify(message);
  assert.ok(!/\p{Cf}|\\u001b/u.test(all) && all.includes("u{202e}evil"), all);
});

test("teams: nothing that an agent wrote is read as markup, and the card says how to answer", () => {
  const message = JSON.stringify(messageOf({ kind: "teams" }, noticeOf(hostile, "held", NOW, "statements", JUDGING)));
  const { attachments } = JSON.parse(message) as { attachments: { content: { body: { type: string }[] } }[] };
  for (const { type } of attachments[0]?.content.body ?? []) assert.equal(type, "RichTextBlock");
  assert.ok(message.includes(`@Sallyport approve ${HOLD} ${DIGEST}`) && !message.includes("\u202e"));
});

test("teams takes it: 28 KB at most, whatever a statement is made of", () => {
  for (const text of [`select\n${"\n1,".repeat(900)}`, `${"x\n".repeat(99)}${"\u20ac".repeat(2_600)}`]) {
    const long = record({ statements: [{ text, parameters: [], actions: ["sql.read"] }] });
    const card = JSON.stringify(messageOf({ kind: "teams" }, noticeOf(long, "held", NOW, "statements", JUDGING)));
    assert.ok(Buffer.byteLength(card) <= 28 * 1024, `${Buffer.byteLength(card)} bytes`);
  }
});

test("a value that is cut is not cut amid a character", () => {
  for (const before of ["", "x"]) {
    const long = record({ message: `${before}${"\u{1f512}".repeat(2_000)}` });
    for (const kind of ["slack", "teams"] as const) {
      const message = JSON.stringify(messageOf({ kind }, noticeOf(long, "held", NOW, "ids", JUDGING)));
      assert.ok(!/\\ud[89a-f]/.test(message), kind);
    }
  }
});

test("slack takes it: ten fields of 2,000 characters at most, and a text of 3,000", () => {
  const most = record({
    ...{ rules: ["r".repeat(5_000)], message: "m".repeat(5_000), votes: Array.from({ length: 300 }, () => ADA) },
    tables: Array.from({ length: 200 }, (_, n) => ({
      name: `t${n}`.repeat(20),
      access: "w",
      labels: [],
      columnLabels: [],
    })),
  });
  for (const { text, fields = [] } of blocks(most, "answered", "statements")) {
    assert.ok((text?.text.length ?? 0) <= 3_000 && fields.length <= 10);
    for (const field of fields) assert.ok(field.text.length <= 2_000);
  }
});

const moments: readonly (readonly [string, HoldRecord, number | undefined, Moment | undefined])[] = [
  ["one that begins to wait", record(), undefined, "held"],
  ["the same with its rows estimated", record({ estimate: "about 5 rows" }), 0, undefined],
  ["a first approval of two", record({ votes: [ADA] }), 0, "answered"],
  ["the approval that lets it go", record({ votes: [ADA], state: "approved" }), 0, "answered"],
  ["let go", record({ votes: [ADA], state: "running" }), 1, undefined],
  ["executed", record({ votes: [ADA], state: "executed", endedMs: NOW }), 1, "ended"],
  ["denied", record({ denied: ADA, state: "denied", endedMs: NOW }), 0, "ended"],
  ["given up", record({ state: "abandoned", endedMs: NOW }), 0, "ended"],
  ["over by time", record({ state: "expired", endedMs: NOW }), 0, "expired"],
  ["let go by an approval that stands", record({ reuses: "x", state: "approved" }), undefined, undefined],
  ["denied before it could wait", record({ state: "denied", endedMs: NOW }), undefined, undefined],
];
for (const [name, one, votes, moment] of moments) {
  test(`${name} is told as ${moment ?? "nothing"}`, () => assert.equal(momentOf(one, votes), moment));
}

test("who is told of ends is told of ends by time, and who is told of these alone is not told of others", () => {
  assert.deepEqual([wants({ on: ["ended"] }, "expired"), wants({ on: ["expired"] }, "ended")], [true, false]);
  assert.deepEqual([wants({ on: ["expired"] }, "expired"), wants({ on: ["held"] }, "expired")], [true, false]);
});

test("a target with groups is told of what members of one of them may answer", () => {
  const of = (...approvers: string[]) => record({ demands: [{ rule: "r", approvers, each: false, quorum: 1 }] });
  assert.deepEqual([concerns({ groups: [] }, of()), concerns({ groups: ["sre"] }, of("dba", "sre"))], [true, true]);
  assert.deepEqual([concerns({ groups: ["sre"] }, of("dba")), concerns({ groups: ["sre"] }, of())], [false, false]);
});
