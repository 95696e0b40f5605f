/** How long an identity lasts under a daemon that did not make it, by clocks that a test sets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lasting } from "../../src/identity/lasting.ts";
import type { Tag } from "../../src/store/tags.ts";
import { handClock } from "../store/folder.ts";

const MINUTE_MS = 60_000;

for (const [name, setBackMs, lastsMs] of [
  ["is not prolonged by a restart", 0, 20 * MINUTE_MS],
  [
    "lasts its whole time once more at most, where the wall clock was set back meanwhile",
    600 * MINUTE_MS,
    30 * MINUTE_MS,
  ],
] as const) {
  test(`an identity of half an hour, ten minutes old, ${name}`, () => {
    const clock = handClock();
    const boot = { ns: 1_000_000_000n };
    const createdMs = clock.nowMs();
    const identity = {
      ...{ issuer: "forge", issuerUrl: "https://forge.example", subject: "s", groups: [], claims: {}, token: "t" },
      ...{ tokenEndsMs: createdMs + MINUTE_MS, endsMs: createdMs + 30 * MINUTE_MS },
    };
    const of = {
      cgroup: "/a",
      agent: "ci",
      slot: 1,
      kind: "tag",
      runId: undefined,
      matcher: "",
      container: "",
      uid: 0,
      startedBy: [],
    } as const;
    const tag: Tag = { ...of, cgroupId: 1n, createdMs, identity };
    clock.advance(10 * MINUTE_MS - setBackMs);
    const lasting = new Lasting({ clock, bootNs: () => boot.ns, isPopulated: () => true });
    lasting.begin(tag, "found");
    boot.ns += BigInt(lastsMs - 1) * 1_000_000n;
    assert.equal(lasting.whyOver(tag), undefined);
    boot.ns += 20_000_000n;
    assert.equal(lasting.whyOver(tag), "its identity has expired");
  });
}
