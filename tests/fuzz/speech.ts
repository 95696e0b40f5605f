/** What the two sides of a fuzzed session say: recorded or composed messages, and what the plan makes of them. */
import { client } from "../kit/wire.ts";
import { ASIDES, CLIENT_FRAMES, DOORS, exchanged, SERVER_FRAMES, STARTUP, TURNS } from "./material.ts";
import { drawMutation } from "./mutations.ts";
import type { Plan } from "./plan.ts";
import type { Random } from "./random.ts";
import { Storm } from "./storm.ts";

/** One message on its way, and what was done to it. */
export interface Item {
  readonly bytes: Buffer;
  readonly mutation: string | undefined;
  /** Goes in a read of its own: nothing may come right behind it. */
  readonly alone?: true;
  /** The client waits for answers before it goes on. */
  readonly endsTurn?: boolean;
}

/** All that the client will say. */
export function clientSpeech(random: Random, plan: Plan): readonly Item[] {
  const door = random.chance(0.93) ? [STARTUP] : random.pick(DOORS);
  const items: Item[] = [];
  for (const bytes of door) items.push({ ...changed(random, plan, bytes, plan.clientRate / 8), alone: true });
  if (plan.isStorm) return [...items, ...storm(random)];
  for (let left = random.between(1, 4); left > 0; left--) {
    for (const turn of random.pick(TURNS)) {
      for (const [at, bytes] of turn.entries()) {
        for (const item of ofClient(random, plan, bytes)) items.push({ ...item, endsTurn: at === turn.length - 1 });
      }
    }
  }
  if (random.chance(0.1)) items.push(plain(client.terminate()));
  return reordered(random, plan, items);
}

/** What becomes of one message of an honest server; `before`: what is already on its way, and may be overtaken. */
export function addLies(random: Random, plan: Plan, bytes: Buffer, before: Item[]): void {
  if (!random.chance(plan.serverRate)) {
    before.push(plain(bytes));
    return;
  }
  const draw = random.below(100);
  if (plan.isGentle) {
    if (draw < 20) before.push({ bytes: random.pick(ASIDES), mutation: "another's in between" });
    before.push(changed(random, plan, bytes, 1));
  } else if (draw < 5) return;
  else if (draw < 12) before.push(plain(bytes), { bytes, mutation: "sent twice" });
  else if (draw < 20)
    before.push({ bytes: random.pick(SERVER_FRAMES), mutation: "another's in between" }, plain(bytes));
  else if (draw < 22) before.push({ bytes: random.pick(CLIENT_FRAMES), mutation: "of the other side" });
  else if (draw < 26 && before.length > 0) {
    before.splice(random.below(before.length), 0, { bytes, mutation: "out of order" });
  } else before.push(changed(random, plan, bytes, 1));
}

/** Now and then something that nothing led to. */
export function addUnasked(random: Random, plan: Plan, before: Item[]): void {
  if (random.chance(plan.serverRate / 20)) before.push({ bytes: random.pick(SERVER_FRAMES), mutation: "unasked" });
}

function plain(bytes: Buffer): Item {
  return { bytes, mutation: undefined };
}

function changed(random: Random, { isGentle }: Plan, bytes: Buffer, rate: number): Item {
  if (!random.chance(rate)) return plain(bytes);
  const mutation = drawMutation(random, isGentle);
  return { bytes: mutation.change(random, bytes), mutation: mutation.name };
}

function ofClient(random: Random, plan: Plan, bytes: Buffer): readonly Item[] {
  if (!random.chance(plan.clientRate)) return [plain(bytes)];
  const draw = random.below(plan.isGentle ? 40 : 100);
  if (draw < 4) return [];
  if (draw < 10) return [plain(bytes), { bytes, mutation: "sent twice" }];
  if (draw < 18) return [plain(bytes), { bytes: random.pick(CLIENT_FRAMES), mutation: "another's in between" }];
  if (draw < 20 && !plan.isGentle) return [{ bytes: random.pick(SERVER_FRAMES), mutation: "of the other side" }];
  if (draw < 30) return [{ bytes: exchanged(random, bytes), mutation: "text or name exchanged" }];
  if (draw < 31) return [{ bytes: STARTUP, mutation: "another's in between" }, plain(bytes)];
  return [changed(random, plan, bytes, 1)];
}

function storm(random: Random): readonly Item[] {
  const own = new Storm(random);
  const waits = random.pick([0.2, 0.6, 1]);
  const items: Item[] = [];
  for (let left = random.between(5, 30); left > 0; left--) {
    const messages = own.next();
    for (const [at, bytes] of messages.entries()) {
      items.push({ bytes, mutation: "composed", endsTurn: at === messages.length - 1 && random.chance(waits) });
    }
  }
  return [...items, { ...plain(client.sync()), endsTurn: true }];
}

function reordered(random: Random, { clientRate }: Plan, items: Item[]): readonly Item[] {
  for (let at = 2; at < items.length; at++) {
    if (!random.chance(clientRate / 20)) continue;
    const other = random.between(1, items.length - 1);
    const [one, two] = [items[at] as Item, items[other] as Item];
    items[other] = { ...one, mutation: one.mutation ?? "out of order" };
    items[at] = { ...two, mutation: two.mutation ?? "out of order" };
  }
  return items;
}
