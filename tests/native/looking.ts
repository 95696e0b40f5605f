/** What the relay asks its owner about, group by group: each has a permit of its own. */
import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Relay, type RelayPermitSpec } from "ebpf-loader";
import { FIRST_LINK } from "../../src/recorder/block.ts";
import { client as say } from "../kit/wire.ts";
import { folder } from "../store/folder.ts";
import { fdOf, pair, until } from "./stand.ts";

export type Place = "value" | "int2" | "int4" | "int8";

interface Looked {
  readonly spec: RelayPermitSpec;
  readonly group: Buffer;
}

const ABOUT = { answer: [], hasRows: false, action: new Uint8Array(), decision: new Uint8Array() } as const;
/** As many as may be in flight. */
const AT_ONCE = 64;

/** A text that is these parts with integers between them. */
export function query(parts: readonly string[], text: string, isWordless = true): Looked {
  const request = parts.flatMap((part, at) => [
    ...(at === 0 ? [] : (["integer"] as const)),
    Buffer.from(at === parts.length - 1 ? `${part}\0` : part),
  ]);
  return {
    spec: { ...ABOUT, text: "", isWordless, request: [{ type: 0x51, parts: request }] },
    group: say.query(text),
  };
}

/** A Bind of one parameter. */
export function bound(place: Place, value: Buffer): Looked {
  const group = say.bind("", "s", { values: [value] });
  const at = group.length - 2 - 4 - value.length;
  const parts = [group.subarray(5, at), place, group.subarray(-2)];
  return { spec: { ...ABOUT, text: "a text", request: [{ type: 0x42, parts }] }, group };
}

/** Resolves when the server has all of them. */
export async function lookedAt(
  t: TestContext,
  groups: readonly Looked[],
  vouch: (text: string) => boolean,
): Promise<void> {
  const [one, other] = [await pair(t), await pair(t)];
  const fd = openSync(join(folder(t), "segment"), "a");
  let why: string | undefined;
  const relay = new Relay({
    giveBack: (_flow, reason) => {
      why = reason;
    },
    vouch: (_flow, _permit, text) => vouch(text),
    decide: () => false,
  });
  t.after(() => {
    relay.close();
    closeSync(fd);
  });
  let heard = 0;
  other.outer.on("data", (bytes: Buffer) => {
    heard += bytes.length;
  });
  let tail = { size: 0, sequence: 0, link: FIRST_LINK };
  let sent = 0;
  for (let at = 0; at < groups.length; at += AT_ONCE) {
    const some = groups.slice(at, at + AT_ONCE);
    const flow = relay.lend({
      ...{ client: fdOf(one.inner), server: fdOf(other.inner), lastAskId: 0, forMs: 60_000 },
      tail: { ...tail, fd, sizeMax: 1 << 30 },
      permits: some.map(({ spec }) => relay.permit(spec)),
    });
    const all = Buffer.concat(some.map(({ group }) => group));
    sent += all.length;
    one.outer.write(all);
    await until(() => heard === sent || why !== undefined, "the groups");
    assert.equal(why, undefined);
    const back = relay.take(flow);
    assert.ok(back);
    tail = back.tail;
  }
}
