/** What the control side asks about who is told of held actions. */
import type { NotifyStatus } from "../model/notify.ts";
import type { Caller } from "./ports.ts";

export interface NotifyPorts {
  list(): Promise<readonly NotifyStatus[]>;
  /** Sends a message that nobody can answer. A target that does not take it is an answer, not a throw. Throws NOTIFY_TARGET. */
  test(name: string, caller: Caller): Promise<NotifyTest>;
}

export interface NotifyTest {
  readonly ok: boolean;
  /** Why it was not taken. */
  readonly detail: string;
}
