/** A protocol of lines and backends for it: enough to log in, look up and cancel without any real one. */
import type { Origin as KernelOrigin } from "ebpf-loader";
import type { Connection } from "../../src/model/connection.ts";
import type { LookupMachine, Protocol } from "../../src/model/protocol.ts";
import type { Session } from "../../src/model/session.ts";
import type { Credential, LoginCommand, LoginEvent, LoginMachine } from "../../src/model/upstream.ts";
import type { Backend, CredentialSource } from "../../src/path/upstream.ts";
import { bytes, textOf } from "./kit.ts";

export const KERNEL_ORIGIN: KernelOrigin = {
  ...{ family: 4, address: "127.0.0.1", port: 5432, sourceAddress: "192.0.2.20", sourcePort: 40_000 },
  ...{ netnsCookie: 1n, cgroupId: 3n, tagCgroupId: 2n, agent: 1, connection: 77, pid: 2 ** 30, uid: 1000 },
  ...{ comm: "psql", bootNs: 5n },
};

export const CONNECTION: Connection = {
  name: "orders",
  protocol: "lines",
  addresses: [{ kind: "network", address: "127.0.0.1", family: 4, prefix: 32, port: 5432 }],
  labels: {},
  tls: { mode: "disable" },
  data: {},
};

/** Says "user password", hears "ok GREETING" or "no CODE". With TLS it says "tls?" first and hears "S" or "N". */
export class LineLogin implements LoginMachine {
  readonly #credential: Credential | undefined;
  readonly #mode: string;
  #heard = "";

  constructor(credential: Credential | undefined, mode: string) {
    this.#credential = credential;
    this.#mode = mode;
  }

  handle(event: LoginEvent): readonly LoginCommand[] {
    switch (event.kind) {
      case "start":
        return this.#mode === "disable" ? [this.#words()] : [{ kind: "toServer", bytes: bytes("tls?\n") }];
      case "secured":
        this.#heard = "";
        return [this.#words()];
      case "server":
        this.#heard += textOf(event.bytes);
        return this.#answer();
      case "derived":
        return [];
      default:
        return event satisfies never;
    }
  }

  #words(): LoginCommand {
    const { user = "", password = new Uint8Array() } = this.#credential ?? {};
    return { kind: "toServer", bytes: bytes(`${user} ${textOf(password)}\n`) };
  }

  #answer(): readonly LoginCommand[] {
    if (this.#heard === "S") return [{ kind: "secure" }];
    if (this.#heard === "N")
      return [{ kind: "failed", code: "UPSTREAM_TLS_REFUSED", message: "The backend has no TLS" }];
    const line = /^(ok|no) (\w+)\n(.*)$/s.exec(this.#heard);
    if (line === null) return [];
    const [, kind, word = "", unread = ""] = line;
    if (kind === "no") return [{ kind: "failed", code: word, message: "The backend refused" }];
    return [{ kind: "done", greeting: word, unread: bytes(unread), cancel: bytes("upstream key") }];
  }
}

/** Asks its question and takes one line as the answer; "!" is an answer that breaks the protocol. */
export function lineLookup(question: { readonly ask: string }): LookupMachine {
  let heard = "";
  return {
    start: () => bytes(`${question.ask}\n`),
    receive: (view) => {
      heard += textOf(view);
      if (heard.startsWith("!")) throw new Error("not a line");
      return heard.endsWith("\n") ? heard.slice(0, -1) : undefined;
    },
  };
}

export function protocolOf(session: () => Session, changes: Partial<Protocol> = {}): Protocol {
  return {
    name: "lines",
    needsCredential: true,
    actions: [],
    prepare: () => Promise.resolve(),
    session,
    login: (_request, { credential, tls }) => new LineLogin(credential, tls.mode),
    lookup: (question) => lineLookup(question as { readonly ask: string }),
    lookupLogin: (request) => ({ for: request }),
    cancelKey: (secret) => secret,
    cancelMessage: (key) => bytes(`cancel ${textOf(key)}\n`),
    ...changes,
  };
}

const noSession = (): Session => {
  throw new Error("Cannot make a session: this test has none");
};

export function backendAt(
  port: number,
  changes: Partial<Connection> = {},
  protocol: Protocol = protocolOf(noSession),
): Backend {
  return { connection: { ...CONNECTION, ...changes }, protocol, address: "127.0.0.1", port };
}

/** Credentials that say what became of them. */
export function vaultOf(password = "hunter2") {
  const held: { readonly password: Uint8Array; wiped: boolean }[] = [];
  const credentialOf: CredentialSource = async () => {
    const credential = { user: "app", password: bytes(password), wiped: false };
    held.push(credential);
    return {
      ...credential,
      wipe: () => {
        credential.password.fill(0);
        credential.wiped = true;
      },
    };
  };
  return { held, credentialOf };
}
