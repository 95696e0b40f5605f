/** A login machine that is told what a server says, and what may never come of it: it holds the password. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { UpstreamTls } from "../../src/model/connection.ts";
import { PostgresLogin } from "../../src/protocols/postgres/login.ts";
import { server } from "../kit/wire.ts";
import { CORPUS, framesOf, type Message, readCorpus } from "./corpus.ts";
import { FuzzFault } from "./fault.ts";
import { derived, LOGIN_NONCE, LOGIN_PASSWORD, LOGIN_REQUEST } from "./logins.ts";
import type { Told } from "./machines.ts";

/** How a server takes part in a login: what it says first, and after each answer. */
export interface Exchange {
  readonly name: string;
  readonly tls: UpstreamTls["mode"];
  readonly says: readonly (readonly Buffer[])[];
}

const [SCRAM] = readCorpus("login");
export const END: readonly Buffer[] = [
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

export const EXCHANGES: readonly Exchange[] = [
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
export const SIGNATURE =
  /v=[\w+/]+=*/.exec(Buffer.concat(EXCHANGES[0]?.says.flat() ?? []).toString("latin1"))?.[0] ?? "";
export class ToldLogin implements Told {
  readonly #login: PostgresLogin;
  readonly #tls: UpstreamTls["mode"];
  #isSecured = false;
  #heard = "";
  #final: Buffer | undefined;
  isOver = false;
  isDone = false;

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
          this.isDone = true;
          this.#checkProof();
          break;
        default:
          command satisfies never;
      }
    }
  }

  #sent(bytes: Buffer): void {
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
