/** What the tests of held statements need: rules that hold, what waits, and answers from another process. */
import { setTimeout as wait } from "node:timers/promises";
import type { ApprovalListing } from "../../src/control/approvals.ts";
import { ApiClient } from "../../src/control/cli/client.ts";
import type { Outcome } from "../kit/daemon.ts";
import type { World } from "./world.ts";

/** Deletes and updates wait; the rest is open. */
export const HELD = `
rules:
  - name: reach-all
    on: connect
    allow: {}
  - name: all-sql
    on: sql
    allow: {}
  - name: changes
    on: [sql.delete, sql.update]
    hold: { approvers: [sre], expires: 60s, reuse: 5m, message: "Changes need a reviewer" }
`;

/** The one action that waits, once it does. */
export async function waiting(world: World, fits: (one: ApprovalListing) => boolean = () => true) {
  for (let tries = 0; tries < 400; tries++) {
    const listed = await list(world);
    const found = listed.find((one) => one.state === "waiting" && fits(one));
    if (found !== undefined) return found;
    await wait(25);
  }
  throw new Error("Nothing waits for approval");
}

/** Asked for over the API by this process: a command line each time would take longer than all the rest. */
export function list(world: World): Promise<readonly ApprovalListing[]> {
  return new ApiClient(world.daemon.runDir).get("/v1/approvals");
}

/** As it became, once it has ended. */
export async function became(world: World, id: string): Promise<ApprovalListing> {
  for (let tries = 0; tries < 200; tries++) {
    const one = await new ApiClient(world.daemon.runDir).get<ApprovalListing>(`/v1/approvals/${id}`);
    if (one.endedMs !== undefined) return one;
    await wait(25);
  }
  throw new Error(`${id} does not end`);
}

/** As root, over the API. */
export function answer(world: World, how: "approve" | "deny", id: string, body: object = {}): Promise<ApprovalListing> {
  return new ApiClient(world.daemon.runDir).post(`/v1/approvals/${id}/${how}`, body);
}

/** The same from a process of its own, by the command line. */
export function command(world: World, how: "approve" | "deny", id: string, ...more: string[]): Promise<Outcome> {
  return world.daemon.cli(["approvals", how, id, ...more]);
}

/** Ids of the orders that are there, in their order. */
export async function orders(world: World, where: string): Promise<readonly number[]> {
  const rows = await world.postgres.query(`SELECT id FROM orders WHERE ${where} ORDER BY id`);
  return rows.map(({ id }) => Number(id));
}

/** Kinds of the events of one hold, in their order. */
export function eventsOf(world: World, id: string): readonly string[] {
  const of = (event: Record<string, unknown>) =>
    (event["fields"] as Record<string, unknown> | undefined)?.["hold"] === id;
  return world.daemon.events().flatMap((event) => (of(event) ? [String(event["kind"])] : []));
}

/** Waits until the trail tells `kind` of it: events reach the file in batches. */
export async function told(world: World, id: string, kind: string): Promise<readonly string[]> {
  for (let tries = 0; tries < 100 && !eventsOf(world, id).includes(kind); tries++) await wait(25);
  return eventsOf(world, id);
}
