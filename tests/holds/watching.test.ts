/** Who watches what is held sees by the groups that they have then, not by those that they began with. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { approvalPorts } from "../../src/daemon/ports/approvals.ts";
import type { PortParts } from "../../src/daemon/ports/parts.ts";
import type { Acting } from "../../src/model/human.ts";
import { demand, request, world } from "./kit.ts";
import { CALLERS, human, people, signedIn } from "./people.ts";

const BEN = human("corp", "ben");

const GROUPLESS = { ...BEN, groups: [] };

const changes: readonly (readonly [string, Partial<Acting> | undefined, "sees" | "does not see"])[] = [
  ["is still of the rule's group", {}, "sees"],
  ["has left the rule's group and is an auditor", { human: GROUPLESS, roles: new Set(["auditor"]) }, "sees"],
  ["has left the rule's group", { human: GROUPLESS }, "does not see"],
  ["has no session any more", undefined, "does not see"],
];
for (const [name, change, outcome] of changes) {
  test(`who ${name} by then ${outcome} what is held next`, async (t) => {
    const { humansOf } = await people(t);
    const { holds } = await world(t, { humansOf });
    const caller = signedIn(BEN);
    let now = caller.acting;
    const parts = {
      ...CALLERS,
      holds,
      humans: { people: { humansOf }, delegations: { loan: () => undefined }, now: () => now },
    };
    const told = new Set<string>();
    approvalPorts(parts as unknown as PortParts).watch(caller, ({ approval }) => told.add(approval.id));
    const hold = async () => {
      const { id, notice } = holds.open(request({ terms: { demands: [demand({ approvers: ["corp:sre"] })] } }));
      await notice;
      await new Promise(setImmediate);
      return told.has(id);
    };
    assert.equal(await hold(), true);
    now = change && now && { ...now, ...change };
    assert.equal(await hold(), outcome === "sees");
  });
}
