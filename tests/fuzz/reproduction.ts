/**
 * A fault as a file: the machine and its world, and every move that it takes, one a line. Read, written, played again
 * and made shorter here.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CORPUS, framesOf, printable } from "./corpus.ts";
import { FuzzFault } from "./fault.ts";
import { type MachineName, machineOf } from "./machines.ts";
import { ANSWERS } from "./material.ts";
import { HANDLE_MS_MAX, type MakeSession, type Move, type Setting } from "./setting.ts";
import { Trial } from "./trial.ts";
import { within } from "./watchdog.ts";
import { worldNamed } from "./worlds.ts";

export type Reproduction =
  | { readonly kind: "session"; readonly setting: Setting; readonly moves: readonly Move[] }
  | { readonly kind: MachineName; readonly variant: string; readonly moves: readonly Move[] };

/** Where reproductions of faults that were fixed are kept. */
export const REGRESSIONS = join(CORPUS, "regressions");
/** A shorter one is looked for so often, and so long. */
const TRIES_MAX = 1_500;
const SEARCH_MS_MAX = 20_000;
const REPLAY = { wallMs: 20_000, cpuMs: HANDLE_MS_MAX };

/** The fault that it still is; undefined: none. Every event is given to a new machine. */
export function replay(reproduction: Reproduction, make: MakeSession): FuzzFault | undefined {
  try {
    within(REPLAY, () => {
      if (reproduction.kind === "session") replaySession(reproduction.setting, reproduction.moves, make);
      else replayMachine(reproduction.kind, reproduction.variant, reproduction.moves);
    });
    return undefined;
  } catch (error) {
    if (error instanceof FuzzFault) return error;
    throw error;
  }
}

function replaySession(setting: Setting, moves: readonly Move[], make: MakeSession): void {
  const trial = new Trial(setting, ANSWERS, make);
  for (const move of moves) trial.give(move);
  if (!trial.isClosed) trial.finish();
}

function replayMachine(kind: MachineName, variant: string, moves: readonly Move[]): void {
  const machine = machineOf(kind, variant);
  for (const move of moves) if (move.kind === "server") machine.tell(move.bytes);
}

/** With as few moves as it takes for a fault of the same kind, and as little else as possible. */
export function shortened(
  reproduction: Reproduction,
  fault: FuzzFault,
  make: MakeSession,
  triesMax = TRIES_MAX,
): Reproduction {
  const end = performance.now() + SEARCH_MS_MAX;
  let tries = triesMax;
  const fails = (candidate: Reproduction) => {
    if (tries-- <= 0 || performance.now() > end) return false;
    const found = replay(candidate, make);
    return found?.kind === fault.kind && sameWords(found.message, fault.message);
  };
  if (fault.kind === "hang" || !fails(reproduction)) return reproduction;
  let shortest = reproduction;
  const take = (moves: readonly Move[]) => {
    const candidate = { ...shortest, moves };
    if (fails(candidate)) shortest = candidate;
  };
  take(inMessages(shortest.moves));
  for (let size = shortest.moves.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < shortest.moves.length; ) {
      const before = shortest.moves.length;
      take([...shortest.moves.slice(0, at), ...shortest.moves.slice(at + size)]);
      if (shortest.moves.length === before) at += size;
    }
  }
  for (const name of ["denied", "late", "failing", "chatty", "unlucky"] as const) {
    if (shortest.kind !== "session") break;
    const candidate: Reproduction = { ...shortest, setting: { ...shortest.setting, [name]: 0 } };
    if (fails(candidate)) shortest = candidate;
  }
  return shortest;
}

/** Numbers and bytes differ between equal faults. */
function sameWords(left: string, right: string): boolean {
  const words = (text: string) => text.replace(/[0-9a-f]{4,}|\d+/g, "#").slice(0, 60);
  return words(left) === words(right);
}

/** Reads of several messages, or of parts of one, become one read for each message. */
function inMessages(moves: readonly Move[]): readonly Move[] {
  const made: Move[] = [];
  for (const move of moves) {
    const last = made.at(-1);
    if ((move.kind === "client" || move.kind === "server") && last?.kind === move.kind) {
      made[made.length - 1] = { kind: move.kind, bytes: Buffer.concat([last.bytes, move.bytes]) };
    } else made.push(move);
  }
  return made.flatMap((move, at): readonly Move[] => {
    if (move.kind !== "client" && move.kind !== "server") return [move];
    // The client's first packet has no type byte.
    if (move.kind === "client" && at === 0 && move.bytes[0] === 0) {
      const length = Math.min(move.bytes.length, move.bytes.readInt32BE(0));
      return [move.bytes.subarray(0, length), ...framesOf(move.bytes.subarray(length))].map((bytes) => ({
        kind: "client",
        bytes,
      }));
    }
    return framesOf(move.bytes).map((bytes) => ({ kind: move.kind, bytes }));
  });
}

/** Returns the path. */
export function writeReproduction(folder: string, name: string, reproduction: Reproduction, about: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.txt`);
  writeFileSync(path, textOf(reproduction, about));
  return path;
}

export function textOf(reproduction: Reproduction, about: string): string {
  const head =
    reproduction.kind === "session"
      ? Object.entries(reproduction.setting).map(
          ([name, value]) => `${name} ${name === "world" ? reproduction.setting.world.name : value}`,
        )
      : [`variant ${reproduction.variant}`];
  const lines = reproduction.moves.map((move) => {
    if (move.kind === "client" || move.kind === "server")
      return `${move.kind} ${move.bytes.toString("hex")}  | ${printable(move.bytes)}`;
    return move.kind === "deliver" ? `deliver ${move.count}` : move.kind;
  });
  return [`# ${about.replaceAll("\n", " ")}`, `machine ${reproduction.kind}`, ...head, ...lines, ""].join("\n");
}

export function readReproduction(text: string): Reproduction {
  const head = new Map<string, string>();
  const moves: Move[] = [];
  for (const line of text.split("\n")) {
    const [word = "", value = ""] = line.split(" ");
    switch (word) {
      case "client":
      case "server":
        if (word === "server" && ["model", "script"].includes(value)) head.set(word, value);
        else moves.push({ kind: word, bytes: Buffer.from(value, "hex") });
        break;
      case "deliver":
        moves.push({ kind: "deliver", count: Number(value) });
        break;
      case "settle":
      case "policy":
      case "stop":
      case "drain":
      case "end-client":
      case "end-server":
        moves.push({ kind: word });
        break;
      default:
        if (word !== "" && word !== "#") head.set(word, line.slice(word.length + 1));
    }
  }
  const kind = head.get("machine");
  if (kind === "login" || kind === "lookup") return { kind, variant: head.get("variant") ?? "", moves };
  const number = (name: string) => Number(head.get(name) ?? 0);
  const setting: Setting = {
    world: worldNamed(head.get("world") ?? ""),
    seed: number("seed"),
    server: head.get("server") === "script" ? "script" : "model",
    denied: number("denied"),
    late: number("late"),
    failing: number("failing"),
    chatty: number("chatty"),
    unlucky: number("unlucky"),
  };
  return { kind: "session", setting, moves };
}

/** By file name, in order. */
export function readRegressions(): readonly { readonly name: string; readonly reproduction: Reproduction }[] {
  const names = existsSync(REGRESSIONS) ? readdirSync(REGRESSIONS).filter((name) => name.endsWith(".txt")) : [];
  return names
    .sort()
    .map((name) => ({ name, reproduction: readReproduction(readFileSync(join(REGRESSIONS, name), "utf8")) }));
}
