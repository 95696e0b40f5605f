/**
 * Sessions with a fault of our own making, one for each kind that the fuzzer looks for: what it does not find in these
 * it would not find in the product either. Each wraps the real session.
 */
import type { Permit } from "../../src/model/permit.ts";
import type { Session, SessionCommand, SessionEvent } from "../../src/model/session.ts";
import type { FaultKind } from "./fault.ts";
import { type MakeSession, realSession } from "./setting.ts";

export interface Planted {
  readonly name: string;
  readonly finds: FaultKind;
  /** Of the fault's words. */
  readonly says: RegExp;
  readonly make: MakeSession;
}

type Handle = (
  event: SessionEvent,
  real: (event: SessionEvent) => readonly SessionCommand[],
) => readonly SessionCommand[];

/** A new `Handle` for each session, which may remember. */
function planted(name: string, finds: FaultKind, says: RegExp, faulty: () => Handle): Planted {
  const make: MakeSession = (world, budget) => {
    const real = realSession(world, budget);
    const handle = faulty();
    const session: Session = { handle: (event) => handle(event, (own) => real.handle(own)) };
    return session;
  };
  return { name, finds, says, make };
}

function changed(
  commands: readonly SessionCommand[],
  change: (command: SessionCommand) => readonly SessionCommand[],
): readonly SessionCommand[] {
  return commands.flatMap(change);
}

/** Every so many events. */
function every(count: number): () => boolean {
  let seen = 0;
  return () => ++seen % count === 0;
}

const QUERY = Buffer.from("Q\0\0\0\x12DROP TABLE a\0\0", "latin1").subarray(0, 19);

export const PLANTED: readonly Planted[] = [
  planted("throws a TypeError", "exception", /handle threw/, () => {
    const isTime = every(9);
    return (event, real) => {
      if (isTime()) throw new TypeError("planted");
      return real(event);
    };
  }),
  planted("loops for ever", "hang", /not handled within/, () => {
    const isTime = every(9);
    return (event, real) => {
      if (isTime()) for (;;);
      return real(event);
    };
  }),
  planted(
    "forwards twice",
    "unjudged",
    /nothing is allowed for it any more/,
    () => (event, real) =>
      changed(real(event), (command) => (command.kind === "forward" ? [command, command] : [command])),
  ),
  planted("forwards after a denial", "unjudged", /nothing is allowed for it any more/, () => {
    let old: Permit | undefined;
    return (event, real) => {
      const commands = real(event);
      const permit = commands.find((command) => command.kind === "forward")?.permit;
      old = permit ?? old;
      const isDenied = event.kind === "verdict" && event.decision.kind === "deny" && old !== undefined;
      return isDenied ? [...commands, { kind: "forward", id: event.id, permit: old as Permit }] : commands;
    };
  }),
  planted(
    "forwards under another's number",
    "unjudged",
    /nothing is allowed for it any more|another session or action/,
    () => (event, real) =>
      changed(real(event), (command) =>
        command.kind === "forward" ? [{ ...command, id: command.id - 1 }] : [command],
      ),
  ),
  planted("changes what it asked for", "unjudged", /other bytes/, () => {
    let view: Uint8Array | undefined;
    return (event, real) => {
      if (event.kind === "verdict" && view !== undefined && view.length > 8) view[7] = 0x41;
      const commands = real(event);
      // Not what stands in for a refused statement: those bytes are the same for all sessions.
      const ask = commands.find((command) => command.kind === "ask" && command.asked[0]?.operation.actions.length);
      view = ask?.kind === "ask" ? ask.bytes : undefined;
      return commands;
    };
  }),
  planted(
    "asks for less than it sends",
    "unjudged",
    /nobody asked for/,
    () => (event, real) =>
      changed(real(event), (command) =>
        command.kind === "ask" && command.id > 2
          ? [{ ...command, asked: command.asked.slice(0, 1).map((own) => ({ ...own, text: "SELECT 1" })) }]
          : [command],
      ),
  ),
  planted(
    "smuggles a Query into its ask",
    "unjudged",
    /nobody asked for/,
    () => (event, real) =>
      changed(real(event), (command) =>
        command.kind === "ask" && command.id > 3
          ? [{ ...command, bytes: Buffer.concat([command.bytes, QUERY]) }]
          : [command],
      ),
  ),
  planted("forgets to mask", "leak", /which is hidden/, () => (event, real) => {
    const raw = event.kind === "server" ? Buffer.from(event.bytes) : undefined;
    return changed(real(event), (command) =>
      command.kind === "toClient" && raw !== undefined ? [{ ...command, bytes: raw }] : [command],
    );
  }),
  planted("tells hidden values in its errors", "leak", /which is hidden/, () => {
    let seen = "";
    return (event, real) => {
      if (event.kind === "server") seen = /kanari-\d+/.exec(Buffer.from(event.bytes).toString("latin1"))?.[0] ?? seen;
      return changed(real(event), (command) =>
        command.kind === "close" && seen !== "" ? [{ kind: "toClient", bytes: notice(seen) }, command] : [command],
      );
    };
  }),
  planted("loses a byte", "frames", /where a message should begin/, () => {
    const isTime = every(5);
    return (event, real) =>
      changed(real(event), (command) =>
        command.kind === "toClient" && command.bytes.length > 6 && isTime()
          ? [{ ...command, bytes: command.bytes.subarray(1) }]
          : [command],
      );
  }),
  planted("speaks amid a message", "frames", /amid a message/, () => {
    let isAmid = false;
    return (event, real) => {
      const commands = real(event);
      if (event.kind !== "server")
        return isAmid ? [{ kind: "toClient", bytes: notice("hello") }, ...commands] : commands;
      const last = commands.findLast((command) => command.kind === "toClient");
      isAmid = last !== undefined && !endsWhole(Buffer.from(last.bytes));
      return commands;
    };
  }),
  planted("sends bytes that change before they leave", "frames", /changed before they were sent/, () => {
    let view: Uint8Array | undefined;
    return (event, real) => {
      if (event.kind === "verdict" && view !== undefined) view[view.length - 1] = 0x21;
      const commands = real(event);
      view = commands.find((command) => command.kind === "toClient")?.bytes;
      return commands;
    };
  }),
  planted(
    "goes on after it closed",
    "unjudged",
    /after it had closed/,
    () => (event, real) =>
      changed(real(event), (command) =>
        command.kind === "close" ? [command, { kind: "toClient", bytes: notice("more") }] : [command],
      ),
  ),
];

function notice(text: string): Buffer {
  const body = Buffer.from(`SNOTICE\0M${text}\0\0`);
  const bytes = Buffer.concat([Buffer.from("N\0\0\0\0"), body]);
  bytes.writeInt32BE(body.length + 4, 1);
  return bytes;
}

function endsWhole(bytes: Buffer): boolean {
  let at = 0;
  while (bytes.length - at >= 5) at += Math.max(5, 1 + bytes.readInt32BE(at + 1));
  return at === bytes.length;
}
