/** Asks the daemon over its socket, or over TLS one on another host. Secrets travel in bodies only; an answer is read up to a limit. */
import type { IncomingMessage, RequestOptions } from "node:http";
import { join } from "node:path";
import { setTimeout as passed } from "node:timers/promises";
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import { API_ANSWER_BYTES_MAX, API_ANSWER_WAIT_MS, API_RETRIES_MAX, API_RETRY_WAIT_MS } from "../../base/limits.ts";
import type { Remote } from "./remote.ts";

export interface AskOptions {
  readonly signal?: AbortSignal;
  /** `endless`: silence is no fault. */
  readonly patience?: "endless";
  /** `user`: whoever has signed in, the user of this process asks. */
  readonly as?: "user";
}

/** What a client shows, and what it does while it waits because it asked too fast. */
export interface ClientParts {
  /** The secret of a human's session or API token; looked for when something is asked. */
  readonly bearer?: () => string | undefined;
  readonly say?: (words: string) => void;
  readonly wait?: (ms: number, signal?: AbortSignal) => Promise<unknown>;
}

/**
 * Throws UserError: DAEMON_UNREACHABLE (3), SOCKET_NOT_PERMITTED (4), SERVER_UNTRUSTED, ANSWER_BROKEN, or what the daemon
 * answered.
 */
export class ApiClient {
  /** Of a daemon on this host. */
  readonly socketPath: string;
  readonly #remote: Remote | undefined;
  readonly #parts: ClientParts;

  constructor(runDir: string, parts: ClientParts = {}, remote?: Remote) {
    this.socketPath = join(runDir, "api.sock");
    this.#remote = remote;
    this.#parts = parts;
  }

  /** `path` begins with "/v1/"; use `step` for parts that a person typed. */
  get<T>(path: string, options: AskOptions = {}): Promise<T> {
    return this.#ask<T>("GET", path, undefined, options);
  }

  post<T>(path: string, body: object, options: AskOptions = {}): Promise<T> {
    return this.#ask<T>("POST", path, body, options);
  }

  delete<T>(path: string): Promise<T> {
    return this.#ask<T>("DELETE", path, undefined, {});
  }

  /** An answer that is no JSON. */
  async text(path: string): Promise<string> {
    const response = await this.#open("GET", path, undefined, {});
    const text = await readAll(response);
    if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, text);
    return text;
  }

  /** One value per line of the answer, as they come. */
  async *lines<T>(path: string, body?: object, options: AskOptions = {}): AsyncGenerator<T> {
    const response = await this.#open(body === undefined ? "GET" : "POST", path, body, options);
    if (options.patience === "endless") response.socket.setTimeout(0);
    if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, await readAll(response));
    let rest = "";
    for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > API_ANSWER_BYTES_MAX) throw broken("one line of it is too long");
      for (const line of lines) yield parsed<T>(line);
    }
    if (rest !== "") throw broken("it ended inside a line");
  }

  /** The bytes of the answer, as they come. */
  async *bytes(path: string): AsyncGenerator<Uint8Array, void> {
    const response = await this.#open("GET", path, undefined, {});
    if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, await readAll(response));
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) yield chunk;
    } catch (error) {
      throw broken(messageOf(error));
    }
  }

  /** The data of each server-sent event, until the daemon ends. Waits as long as it takes. Source: WHATWG HTML, Server-sent events. */
  async *events<T>(path: string, options: AskOptions = {}): AsyncGenerator<T> {
    const response = await this.#open("GET", path, undefined, options);
    response.socket.setTimeout(0); // silence is no fault
    if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, await readAll(response));
    let rest = "";
    try {
      for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        if (rest.length > API_ANSWER_BYTES_MAX) throw broken("one line of it is too long");
        for (const line of lines) if (line.startsWith("data: ")) yield parsed<T>(line.slice("data: ".length));
      }
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError("WATCH_ENDED", `The daemon ended the watch: ${messageOf(error)}`, "Start it again");
    }
  }

  async #ask<T>(method: string, path: string, body: object | undefined, options: AskOptions): Promise<T> {
    const response = await this.#open(method, path, body, options);
    const text = await readAll(response);
    if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, text);
    return parsed<T>(text);
  }

  /** Asks again where the daemon says when: what it answers so it has not begun. */
  async #open(method: string, path: string, body: object | undefined, options: AskOptions): Promise<IncomingMessage> {
    const { say = () => {}, wait = (ms, signal) => passed(ms, undefined, { signal }) } = this.#parts;
    for (let retries = 0; ; retries++) {
      const response = await this.#send(method, path, body, options);
      const waitMs = Number(response.headers["retry-after"]) * 1_000;
      if (response.statusCode !== 429 || retries === API_RETRIES_MAX || !(waitMs <= API_RETRY_WAIT_MS)) return response;
      response.resume();
      say(`sallyport: the daemon serves no more requests of this user now; asking again in ${waitMs / 1_000} s`);
      await wait(waitMs, options.signal).catch((error: Error) => {
        throw this.#unreachable(error);
      });
    }
  }

  async #send(
    method: string,
    path: string,
    body: object | undefined,
    { signal, as }: AskOptions,
  ): Promise<IncomingMessage> {
    const text = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const bearer = as === "user" ? undefined : this.#parts.bearer?.();
    const headers = {
      ...(text === undefined ? {} : { "content-type": "application/json", "content-length": text.length }),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    };
    return new Promise((resolve, reject) => {
      const options = { ...({ method, path, headers, agent: false, timeout: API_ANSWER_WAIT_MS } as const) };
      const asked = this.#request({ ...options, ...(signal === undefined ? {} : { signal }) }, resolve);
      asked.on("timeout", () => asked.destroy(broken("it did not come in time")));
      asked.on("error", (error) => reject(error instanceof UserError ? error : this.#unreachable(error)));
      asked.end(text);
    });
  }

  /** Whatever the environment says (NODE_TLS_REJECT_UNAUTHORIZED), a server that is not verified is shown nothing. */
  #request(options: RequestOptions, answered: (response: IncomingMessage) => void) {
    // Not imported: that would make WebSocket and all of undici for this process, some 50 ms of it.
    if (this.#remote === undefined) {
      return process.getBuiltinModule("node:http").request({ ...options, socketPath: this.socketPath }, answered);
    }
    const { host, port, ca } = this.#remote;
    const tls = { minVersion: "TLSv1.3", rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) } as const;
    return process.getBuiltinModule("node:https").request({ ...options, host, port, ...tls }, answered);
  }

  #unreachable(cause: Error): UserError {
    return this.#remote === undefined ? unreachable(this.socketPath, cause) : farAway(this.#remote, cause);
  }
}

/** One step of a path. */
export function step(text: string): string {
  return encodeURIComponent(text);
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > API_ANSWER_BYTES_MAX) throw broken("it is too large");
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof UserError ? error : broken(messageOf(error));
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parsed<T>(text: string): T {
  try {
    return JSON.parse(text);
  } catch {
    throw broken("it is not JSON");
  }
}

function refusal(status: number, text: string): UserError {
  let error: { code?: unknown; message?: unknown; remedy?: unknown } | undefined;
  try {
    error = JSON.parse(text)?.error;
  } catch {
    // told below: whatever answered is not our daemon
  }
  if (typeof error?.code !== "string") return broken(`status ${status}`);
  const exitCode = status === 401 || status === 403 ? 4 : status === 400 ? 2 : status === 429 || status === 503 ? 3 : 1;
  return new UserError(error.code, String(error.message), String(error.remedy ?? ""), { exitCode });
}

function broken(why: string): UserError {
  return new UserError("ANSWER_BROKEN", `Cannot understand the daemon's answer: ${why}`, "See the daemon's log");
}

function unreachable(socketPath: string, cause: Error): UserError {
  const code = codeOf(cause);
  if (code === "ABORT_ERR") return new UserError("INTERRUPTED", "Stopped before the daemon answered", "", { cause });
  if (code === "EACCES" || code === "EPERM") {
    // File permissions say EACCES; EPERM comes from the guard itself, which opens no door to this socket for an agent.
    const isAgent = code === "EPERM";
    const message = `Cannot use ${socketPath}: ${isAgent ? "a guarded agent may not" : "permission denied"}`;
    const remedy = isAgent ? "Ask from outside of the agent" : "Use sudo, or join the group sallyport";
    return new UserError("SOCKET_NOT_PERMITTED", message, remedy, {
      cause,
      exitCode: 4,
    });
  }
  const message = `Cannot reach the daemon at ${socketPath}: ${code === "INTERNAL" ? cause.message : code}`;
  const remedy = "Start it with `sudo sallyport up`, or name its folder with --run";
  return new UserError("DAEMON_UNREACHABLE", message, remedy, { cause, exitCode: 3 });
}

function farAway({ origin }: Remote, cause: Error): UserError {
  const code = codeOf(cause);
  if (code === "ABORT_ERR") return new UserError("INTERRUPTED", "Stopped before the daemon answered", "", { cause });
  if (/CERT|SIGNATURE|ISSUER|ALTNAME|^ERR_(SSL|TLS)/.test(code)) {
    const message = `Cannot trust ${origin}: ${code}`;
    const remedy = "Call it by a name of its certificate, and name the roots that it hangs on: --ca FILE";
    return new UserError("SERVER_UNTRUSTED", message, remedy, { cause });
  }
  const message = `Cannot reach the daemon at ${origin}: ${code === "INTERNAL" ? cause.message : code}`;
  const remedy = "Check the address, and that the settings there have `api`";
  return new UserError("DAEMON_UNREACHABLE", message, remedy, { cause, exitCode: 3 });
}
