/** A driver's ports with their times taken and their outcomes counted. Changes nothing of what passes through them. */
import { METERED_ASKS_MAX } from "../base/limits.ts";
import type { SessionMeter } from "../metrics/meter.ts";
import type { LookAnswer } from "../model/session.ts";
import type { DriverPorts } from "./driver.ts";

export function metered(ports: DriverPorts, meter: SessionMeter): DriverPorts {
  /** When what was forwarded and is not answered yet was let go, by its ask; in order. */
  const underWay = new Map<number, number>();
  let heldMs = 0;
  const now = () => performance.now();
  const forwarded = (id: number) => {
    if (underWay.size < METERED_ASKS_MAX) underWay.set(id, now());
  };
  return {
    ...ports,
    decide(id, asked, bytes) {
      const startedMs = now();
      const decision = ports.decide(id, asked, bytes);
      meter.took("judge", now() - startedMs);
      meter.decided(decision);
      return decision;
    },
    hold(id, asked, bytes, decision) {
      heldMs = now();
      return ports.hold(id, asked, bytes, decision);
    },
    recordAsked(id, asked, decision, hold) {
      ports.recordAsked(id, asked, decision, hold);
      if (decision.kind === "allow") forwarded(id);
    },
    recordDecided(id, verdict) {
      meter.settled(verdict, now() - heldMs);
      ports.recordDecided(id, verdict);
      if (verdict.kind === "allow") forwarded(id);
    },
    recordAnswered(entry) {
      const sinceMs = underWay.get(entry.askId);
      if (sinceMs !== undefined) meter.took("answer", now() - sinceMs);
      // Answers come in the order of their asks: what is older has none.
      for (const id of underWay.keys()) {
        if (id > entry.askId) break;
        underWay.delete(id);
      }
      meter.answered(entry);
      ports.recordAnswered(entry);
    },
    flush() {
      const startedMs = now();
      ports.flush();
      meter.took("record", now() - startedMs);
    },
    settle() {
      const settled = ports.settle();
      if (settled === undefined) return undefined;
      const startedMs = now();
      return settled.then(() => meter.took("sync", now() - startedMs));
    },
    fault(code, message) {
      if (code === "RECORDING_FAILED") meter.unrecorded();
      ports.fault(code, message);
    },
    async logIn(request) {
      const startedMs = now();
      const login = await ports.logIn(request);
      meter.took("login", now() - startedMs);
      return login;
    },
    look(question) {
      const answer = ports.look(question);
      if (!(answer instanceof Promise)) return answer;
      const startedMs = now();
      return answer.then((found: LookAnswer) => {
        meter.took("lookup", now() - startedMs);
        return found;
      });
    },
  };
}
