/** An agent's connection that asks the same two statements again and again, so that they go the short way. */
import assert from "node:assert/strict";
import { ApiClient } from "../../src/control/cli/client.ts";
import { parseExposition, sampled } from "../kit/exposition.ts";
import type { Answer, SteeredAgent, World } from "./world.ts";

/** Unlike in each text, so that what the server ran can be found in the recordings. */
let number = 1_000;
const WAIT_MS = 20_000;

export interface Asked {
  readonly text: string;
  readonly answer: Answer;
}

export class Steady {
  readonly answered: Asked[] = [];
  /** The same with what is under way. */
  asked = 0;
  readonly done: Promise<void>;
  #goes = true;

  private constructor(agent: SteeredAgent, name: string) {
    this.done = this.#run(agent, name);
  }

  /** Opens the connection, and resolves once its statements go past the session. */
  static async start(world: World, agent: SteeredAgent, name = "steady"): Promise<Steady> {
    assert.deepEqual(await agent.open(name, world.url), {});
    const steady = new Steady(agent, name);
    await relays(world);
    return steady;
  }

  async #run(agent: SteeredAgent, name: string): Promise<void> {
    while (this.#goes) {
      const at = this.asked++;
      const text = at % 2 === 0 ? plain() : PREPARED;
      const answer = await (at % 2 === 0 ? agent.ask(name, text) : agent.askAgain(name, text, [1 + (at % 100)]));
      this.answered.push({ text, answer });
      const { code, severity } = answer;
      if (severity === "FATAL" || code === "AGENT_GONE" || (code !== undefined && severity === "")) return;
    }
  }

  /** Those that are asked from now on, so many of them. */
  async next(count = 20): Promise<readonly Asked[]> {
    const from = this.asked;
    const end = performance.now() + WAIT_MS;
    while (this.answered.length < from + count) {
      assert.ok(performance.now() < end, `only ${this.answered.length - from} of ${count} were answered`);
      await new Promise(setImmediate);
    }
    return this.answered.slice(from, from + count);
  }

  async stop(): Promise<void> {
    this.#goes = false;
    await this.done;
  }
}

export const plain = () => `SELECT amount FROM orders WHERE id <> ${++number} LIMIT 1`;
export const PREPARED = "SELECT amount FROM orders WHERE id = $1";

export async function relayed({ daemon }: World): Promise<number> {
  const exposition = parseExposition(await new ApiClient(daemon.runDir).text("/v1/metrics"));
  return sampled(exposition, "sallyport_relayed_operations_total", { connection: "orders" }) ?? 0;
}

/** The control of every test: many of what is asked go past the session right now. */
export async function relays(world: World, count = 50): Promise<void> {
  const before = await relayed(world);
  const end = performance.now() + WAIT_MS;
  while ((await relayed(world)) < before + count) {
    assert.ok(performance.now() < end, "what is repeated should go the short way");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
