/**
 * The two machines that see no client: the login, which holds the password, and the lookup. A server says to them what
 * was recorded or built, changed as the seed has it; the checks are those of machines that hold a secret.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ProtocolError } from "../../src/base/errors.ts";
import type { UpstreamTls } from "../../src/model/connection.ts";
import { isCatalogFacts } from "../../src/protocols/postgres/catalog.ts";
import { PostgresLogin } from "../../src/protocols/postgres/login.ts";
import { CatalogLookup } from "../../src/protocols/postgres/lookup.ts";
import { server } from "../kit/wire.ts";
import { CORPUS, framesOf, type Message, readCorpus } from "./corpus.ts";
import type { Counts } from "./counts.ts";
import { FuzzFault } from "./fault.ts";
import { derived, LOGIN_NONCE, LOGIN_PASSWORD, LOGIN_REQUEST } from "./logins.ts";
import { drawMutation } from "./mutations.ts";
import { Random } from "./random.ts";
import { LOOKUP_QUESTION } from "./scripts.ts";

/** A machine that is told what a server says. */
export interface Told {
  /** Throws FuzzFault. */
  tell(bytes: Buffer): void;
  readonly isOver: boolean;
}

export type MachineName = "login" | "lookup";

/** How a server takes part in a login: what it says first, and after each answer. */
interface Exchange {
  readonly name: string;
  readonly tls: UpstreamTls["mode"];
  readonly says: readonly (readonly Buffer[])[];
}

const [SCRAM] = readCorpus("login");
const END = [
  server.authenticationOk(),
  server.parameter("client_encoding", "UTF8"),
  server.parameter("standard_conforming_strings", "on"),
  server.keyData(Buffer.alloc(36, 5)),
  server.ready(),
];
/** Of the server's words, for the check of its proof. */
const HEARD_MAX = 64 * 1024;
const YES = Buffer.from("S");
const SECRETS = "verify-full" as const;

const EXCHANGES: readonly Exchange[] = [
  { name: "scram", tls: "disable", says: spoken(SCRAM?.messages ?? []) },
  {
    name: "scram inside TLS",
    tls: "require",
    says: [[YES], [server.sasl("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")], END],
  },
  { name: "trust", tls: "disable", says: [END] },
  { name: "trust inside TLS", tls: "require", says: [[YES], END] },
  { name: "clear", tls: SECRETS, says: [[YES], [server.cleartext()], END] },
  { name: "md5", tls: SECRETS, says: [[YES], [server.md5(Buffer.of(1, 2, 3, 4))], END] },
  { name: "clear without TLS", tls: "disable", says: [[server.cleartext()], END] },
  { name: "TLS refused", tls: "require", says: [[Buffer.from("N")], END] },
  { name: "an error", tls: "disable", says: [[server.error({ S: "FATAL", V: "FATAL", C: "28P01", M: "no" })]] },
  { name: "notices first", tls: "disable", says: [[server.notice({ S: "NOTICE", M: "hello", C: "00000" })], END] },
];
/** The certificate of any server: its hash is all that counts. */
const CERTIFICATE = new X509Certificate(readFileSync(join(CORPUS, "certificate.pem"))).raw;
/** What a verified server says at the end, and what the client says before; of the recorded login. */
const FINAL = framesOf(SCRAM?.messages.filter(({ from }) => from === "client").at(-1)?.bytes ?? Buffer.alloc(0))[0];
const SIGNATURE = /v=[\w+/=]+/.exec(Buffer.concat(EXCHANGES[0]?.says.flat() ?? []).toString("latin1"))?.[0] ?? "";
const LOOKUP = lookupAnswer();
const ASIDES = [
  ...END,
  server.sasl("SCRAM-SHA-256"),
  server.saslFinal(SIGNATURE),
  server.cleartext(),
  server.columns(),
  server.row(null),
];

export class ToldLogin implements Told {
  readonly #login: PostgresLogin;
  readonly #tls: UpstreamTls["mode"];
  #isSecured = false;
  #heard = "";
  #final: Buffer | undefined;
  isOver = false;
  /** Answers that the server has got. */
  answers = 0;

  constructor(tls: UpstreamTls["mode"]) {
    this.#tls = tls;
    const credential = { user: "app", password: Buffer.from(LOGIN_PASSWORD) };
    this.#login = new PostgresLogin(LOGIN_REQUEST, { credential, tls: { mode: tls }, nonce: LOGIN_NONCE });
    this.#handle({ kind: "start" });
  }

  tell(bytes: Buffer): void {
    if (this.isOver) return;
    if (this.#heard.length < HEARD_MAX) this.#heard += bytes.toString("latin1");
    this.#handle({ kind: "server", bytes: Buffer.from(bytes) });
  }

  #handle(event: Parameters<PostgresLogin["handle"]>[0]): void {
    let commands: ReturnType<PostgresLogin["handle"]>;
    try {
      commands = this.#login.handle(event);
    } catch (error) {
      throw new FuzzFault("exception", `The login threw: ${String(error)}`, { cause: error });
    }
    for (const command of commands) {
      switch (command.kind) {
        case "toServer":
          this.#sent(Buffer.from(command.bytes));
          break;
        case "secure":
          this.#isSecured = true;
          this.#handle({ kind: "secured", certificate: CERTIFICATE });
          break;
        case "derive":
          this.#handle({ kind: "derived", key: derived(command) });
          break;
        case "failed":
          this.isOver = true;
          if (command.message.includes(LOGIN_PASSWORD)) throw new FuzzFault("leak", "A failed login told the password");
          break;
        case "done":
          this.isOver = true;
          this.#checkProof();
          break;
        default:
          command satisfies never;
      }
    }
  }

  #sent(bytes: Buffer): void {
    this.answers++;
    if (bytes.includes(",p=")) this.#final = bytes;
    const mayShow = this.#isSecured && this.#tls === SECRETS;
    if (!mayShow && bytes.includes(LOGIN_PASSWORD)) {
      throw new FuzzFault("leak", "The password was sent to a server that nobody verified");
    }
  }

  /** A server that was given a proof must have given its own: the recorded one, for the recorded proof. */
  #checkProof(): void {
    if (this.#final === undefined) return;
    if (!this.#final.equals(FINAL ?? Buffer.alloc(0)) || !this.#heard.includes(SIGNATURE)) {
      throw new FuzzFault("unjudged", "A login was done although the server has not proven that it knows the password");
    }
  }
}

export class ToldLookup implements Told {
  readonly #lookup = new CatalogLookup(LOOKUP_QUESTION);
  isOver = false;
  /** Facts were found. */
  isDone = false;

  tell(bytes: Buffer): void {
    if (this.isOver) return;
    try {
      const facts = this.#lookup.receive(Buffer.from(bytes));
      if (facts === undefined) return;
      if (!isCatalogFacts(facts)) throw new FuzzFault("exception", "The lookup gave what are no catalog facts");
      this.isDone = true;
    } catch (error) {
      if (error instanceof FuzzFault) throw error;
      if (!(error instanceof ProtocolError)) {
        const name = error instanceof Error ? error.name : typeof error;
        throw new FuzzFault("exception", `The lookup threw what is no ProtocolError, but a ${name}`, { cause: error });
      }
    }
    this.isOver = true;
  }
}

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
    counts.items("server", machine.isOver ? [] : items);
    const bytes = Buffer.concat(items.map((item) => item.bytes));
    for (let at = 0; at < bytes.length && !machine.isOver; ) {
      const end = isSplit ? at + random.between(1, 50) : bytes.length;
      trace?.(exchange.name, bytes.subarray(at, end));
      machine.tell(bytes.subarray(at, end));
      at = end;
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

/** What the server said, cut at the client's words. */
function spoken(messages: readonly Message[]): readonly (readonly Buffer[])[] {
  const parts: Buffer[][] = [];
  let last: Message["from"] = "server";
  for (const { from, bytes } of messages) {
    if (from === "server") {
      if (last === "client") parts.push([]);
      parts.at(-1)?.push(bytes);
    }
    last = from;
  }
  return parts;
}

/** The recorded answer with its first rows of every kind: the whole has hundreds. */
function lookupAnswer(): readonly Buffer[] {
  const seen = new Map<string, number>();
  return readCorpus("lookup")
    .flatMap(({ messages }) => messages.filter(({ from }) => from === "server"))
    .map(({ bytes }) => bytes)
    .filter((bytes) => {
      const kind = bytes[0] === 0x44 ? bytes.toString("latin1", 11, 16) : "";
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      return kind === "" || (seen.get(kind) ?? 0) <= 4;
    });
}
