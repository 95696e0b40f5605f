/**
 * The messages that wait for one target, at most NOTIFY_QUEUED_MAX: of one agent in their order, of several by turns. So an
 * agent whose actions are held by the hundred neither delays nor crowds out what another agent waits for.
 */
import { NOTIFY_QUEUED_MAX } from "../base/limits.ts";
import type { HoldRecord } from "../holds/record.ts";
import type { HoldNotice } from "./notice.ts";

export interface Message {
  /** The same for every try. */
  readonly id: string;
  readonly notice: HoldNotice;
  /** Of the action that it tells of: by these it is known whose it is. */
  readonly demands: HoldRecord["demands"];
  readonly queuedMs: number;
}

export class Waiting {
  /** The first of them is on its way. */
  readonly #messages: Message[] = [];
  /** Agents that wait and were told of, the last one last. */
  #told: readonly string[] = [];

  get length(): number {
    return this.#messages.length;
  }

  /** False: one was given up for it. */
  add(message: Message): boolean {
    const isFull = this.#messages.length >= NOTIFY_QUEUED_MAX;
    if (isFull) this.#giveUp();
    this.#messages.push(message);
    return !isFull;
  }

  /** Of the agent that was not told of for longest; on its way until `done`, or until this is called again. */
  next(): Message | undefined {
    const agents = new Set(this.#messages.map(agentOf));
    const told = this.#told.filter((agent) => agents.has(agent));
    const agent = [...agents].find((one) => !told.includes(one)) ?? told[0];
    if (agent === undefined) return undefined;
    this.#told = [...told.filter((one) => one !== agent), agent];
    const at = this.#messages.findIndex((message) => agentOf(message) === agent);
    this.#messages.unshift(...this.#messages.splice(at, 1));
    return this.#messages[0];
  }

  /** The one on its way is told, or no news any more. */
  done(): void {
    this.#messages.shift();
  }

  all(): readonly Message[] {
    return [...this.#messages];
  }

  /** The oldest of the agent that has most. */
  #giveUp(): void {
    const counts = new Map<string, number>();
    for (const message of this.#messages.slice(1)) {
      counts.set(agentOf(message), (counts.get(agentOf(message)) ?? 0) + 1);
    }
    const [most] = [...counts].sort(([, one], [, other]) => other - one)[0] ?? [];
    const at = this.#messages.findIndex((message, index) => index > 0 && agentOf(message) === most);
    this.#messages.splice(at, 1);
  }
}

function agentOf({ notice }: Message): string {
  return notice.data.agent;
}
