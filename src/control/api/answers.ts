/** Sends what a route answers, in the form that it declares. What is slow to read is waited for, or ended. */
import type { ServerResponse } from "node:http";
import { API_WATCHERS_MAX, API_WATCHERS_PER_USER_MAX, UNSENT_BYTES_MAX } from "../../base/limits.ts";
import type { Caller } from "../ports.ts";
import { ApiFault } from "./faults.ts";
import { RateFault } from "./rates.ts";
import type { Answer } from "./route.ts";

/** Each with who watches. */
export type Watchers = Map<ServerResponse, string>;

/** Who reads. */
export interface Reader {
  readonly caller: Caller;
  /** What they showed has ended meanwhile, or their role: what goes on for long ends with it. */
  readonly isOver: () => boolean;
}

/** `type`: the media type. Throws API_WATCHERS_FULL before anything was sent. */
export async function send(
  response: ServerResponse,
  answer: Answer,
  type: string,
  reader: Reader,
  watchers: Watchers,
): Promise<void> {
  switch (answer.kind) {
    case "json":
      sendJson(response, 200, answer.value);
      break;
    case "text":
      sendBytes(response, 200, type, Buffer.from(answer.text));
      break;
    case "lines":
      await stream(response, type, jsonLines(answer.lines), reader);
      break;
    case "bytes":
      await stream(response, type, answer.bytes, reader);
      break;
    case "events":
      sendEvents(response, answer.watch, reader, watchers);
      break;
    default:
      answer satisfies never;
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  sendBytes(response, status, "application/json", Buffer.from(`${JSON.stringify(value)}\n`));
}

function sendBytes(response: ServerResponse, status: number, type: string, bytes: Uint8Array): void {
  response.writeHead(status, { "content-type": type, "content-length": bytes.length });
  response.end(bytes);
}

export function sendFault(response: ServerResponse, fault: ApiFault): void {
  const { status, code, message, remedy } = fault;
  if (fault instanceof RateFault) response.setHeader("retry-after", fault.retryAfterS);
  sendJson(response, status, { error: { code, message, remedy } });
}

async function stream(
  response: ServerResponse,
  type: string,
  chunks: AsyncIterable<string | Uint8Array>,
  { isOver }: Reader,
): Promise<void> {
  response.writeHead(200, { "content-type": type });
  for await (const chunk of chunks) {
    if (isOver()) response.destroy();
    if (response.destroyed) return;
    if (!response.write(chunk)) await drained(response);
  }
  response.end();
}

async function* jsonLines(values: AsyncIterable<unknown>): AsyncGenerator<string, void> {
  for await (const value of values) yield `${JSON.stringify(value)}\n`;
}

/** Or its client is gone. Leaves no listener behind: a long answer waits thousands of times. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

function sendEvents(
  response: ServerResponse,
  watch: Extract<Answer, { kind: "events" }>["watch"],
  { caller, isOver }: Reader,
  watchers: Watchers,
): void {
  const who = caller.acting === undefined ? `uid ${caller.uid}` : `human ${caller.acting.human.account}`;
  const own = [...watchers.values()].filter((one) => one === who).length;
  if (who !== "uid 0" && own >= API_WATCHERS_PER_USER_MAX) {
    throw new ApiFault(503, "API_WATCHERS_FULL", `This user watches ${own} times already`, "End one of them");
  }
  if (watchers.size >= API_WATCHERS_MAX) {
    throw new ApiFault(503, "API_WATCHERS_FULL", `${API_WATCHERS_MAX} clients watch already`, "End one of them");
  }
  watchers.set(response, who);
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.flushHeaders();
  const stop = watch((event) => {
    // A watcher that does not read is ended rather than fed from memory without end.
    if (isOver() || response.writableLength > UNSENT_BYTES_MAX) response.destroy();
    else response.write(`event: ${event.kind.replaceAll(/[\r\n]/g, " ")}\ndata: ${JSON.stringify(event)}\n\n`);
  });
  response.once("close", () => {
    watchers.delete(response);
    stop();
  });
}
