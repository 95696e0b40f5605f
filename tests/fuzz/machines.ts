/**
 * The two machines that see no client: the login, which holds the password, and the lookup. A server says to them what
 * was recorded or built, changed as the seed has it; the checks are those of machines that hold a secret.
 */
import { server } from "../kit/wire.ts";
import type { Counts } from "./counts.ts";
import { drawMutation } from "./mutations.ts";
import { Random } from "./random.ts";
import { END, EXCHANGES, SIGNATURE, ToldLogin } from "./told-login.ts";
import { lookupAnswer, ToldLookup } from "./told-lookup.ts";

/** A machine that is told what a server says. */
export interface Told {
  /** Throws FuzzFault. */
  tell(bytes: Buffer): void;
  readonly isOver: boolean;
}

export type MachineName = "login" | "lookup";

const LOOKUP = lookupAnswer();
const ASIDES = [
  ...END,
  server.sasl("SCRAM-SHA-256"),
  server.saslFinal(SIGNATURE),
  server.cleartext(),
  server.columns(),
  server.row(null),
];

/** Another machine of the same kind and setting, for reproductions. `variant` is as `runMachine` gave it. */
export function machineOf(name: MachineName, variant: string): Told {
  if (name === "lookup") return new ToldLookup();
  const exchange = EXCHANGES.find((own) => own.name === variant);
  if (exchange === undefined) throw new Error(`Cannot find the login ${variant}`);
  return new ToldLogin(exchange.tls);
}

export interface MachineOptions {
  readonly counts: Counts;
  readonly trace?: (variant: string, bytes: Buffer) => void;
}

/** Runs the login or lookup that `seed` describes. Throws FuzzFault. */
export function runMachine(name: MachineName, seed: number, { counts, trace }: MachineOptions): void {
  const random = new Random(seed);
  const exchange = random.pick(EXCHANGES);
  const says = name === "lookup" ? [LOOKUP] : exchange.says;
  const machine: Told = name === "lookup" ? new ToldLookup() : new ToldLogin(exchange.tls);
  const rate = random.pick([0.05, 0.2, 0.6]);
  const isGentle = random.chance(0.5);
  const isSplit = random.chance(0.3);
  for (const messages of says) {
    const items = messages.flatMap((bytes) => change(random, bytes, rate, isGentle));
    for (const read of isSplit ? items.map((item) => [item]) : [items]) {
      if (machine.isOver) break;
      counts.items("server", read);
      const bytes = Buffer.concat(read.map((item) => item.bytes));
      for (let at = 0; at < bytes.length; ) {
        const end = isSplit ? Math.min(bytes.length, at + random.between(1, 50)) : bytes.length;
        trace?.(exchange.name, bytes.subarray(at, end));
        machine.tell(bytes.subarray(at, end));
        at = end;
      }
    }
  }
  counts.machine(name);
}

interface Item {
  readonly bytes: Buffer;
  readonly mutation: string | undefined;
}

function change(random: Random, bytes: Buffer, rate: number, isGentle: boolean): readonly Item[] {
  const plain: Item = { bytes, mutation: undefined };
  if (!random.chance(rate)) return [plain];
  const draw = random.below(20);
  if (draw === 0) return [];
  if (draw < 3) return [plain, { bytes, mutation: "sent twice" }];
  if (draw < 5) return [{ bytes: random.pick(ASIDES), mutation: "another's in between" }, plain];
  if (draw < 7) return [{ bytes: otherDigits(random, bytes), mutation: "numbers in texts replaced" }];
  if (draw < 8) return Array<Item>(12).fill({ bytes: otherDigits(random, bytes), mutation: "sent many times" });
  const mutation = drawMutation(random, isGentle);
  return [{ bytes: mutation.change(random, bytes), mutation: mutation.name }];
}

/** Iteration counts of SCRAM, OIDs as text, positions. */
function otherDigits(random: Random, bytes: Buffer): Buffer {
  const text = bytes.toString("latin1", 5).replace(/(?<=i=)\d+|\d{3,}/, random.pick(DIGITS));
  const made = Buffer.concat([bytes.subarray(0, 5), Buffer.from(text, "latin1")]);
  if (made.length >= 5) made.writeInt32BE(made.length - 1, 1);
  return made;
}

const DIGITS = ["0", "4095", "5000", "999999", "1000001", "999999999999", "-1", "1e3", "NaN"];
