/**
 * Syslog over TLS or plain TCP, one connection. Syslog has no answers: that the peer's kernel took the bytes is not that
 * the peer has them, so nothing is "taken" here, only "sent" (settling.ts says when that counts).
 */
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { messageOf } from "../base/errors.ts";
import { SINK_WAIT_MS, SYSLOG_STALL_MS } from "../base/limits.ts";
import type { SyslogTarget } from "../model/sink.ts";
import type { Message, Outcome, Sink, SinkWorld } from "./sink.ts";
import { tlsOptions } from "./sink-tls.ts";
import { frameOf } from "./syslog-message.ts";

/** Throws SINK_TLS. */
export function createSyslogSink(target: SyslogTarget, world: Pick<SinkWorld, "hostName">): Sink {
  const { host, port, tls } = target;
  const options = tls === "disable" ? undefined : tlsOptions(tls, host);
  const origin = { hostName: world.hostName, pid: process.pid };
  let socket: Socket | undefined;

  async function connected(signal: AbortSignal): Promise<Socket> {
    if (socket !== undefined) return socket;
    const fresh = await dial(host, port, options, signal);
    socket = fresh;
    fresh.on("close", () => {
      if (socket !== fresh) return;
      socket = undefined;
      sink.onBroken?.("the receiver ended the connection");
    });
    fresh.on("end", () => fresh.destroy()); // it will not read what we would still say
    return fresh;
  }

  const sink: Sink = {
    async deliver(batch: readonly Message[], signal: AbortSignal): Promise<Outcome> {
      let open: Socket;
      try {
        open = await connected(signal);
      } catch (error) {
        return { kind: "failed", reason: messageOf(error) };
      }
      const bytes = Buffer.concat(batch.map((message) => frameOf(message, origin)));
      return written(open, bytes, signal);
    },
    close() {
      const last = socket;
      socket = undefined;
      last?.end();
      last?.destroySoon();
    },
  };
  return sink;
}

function dial(
  host: string,
  port: number,
  options: ConnectionOptions | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = options === undefined ? connect({ host, port }) : connectTls({ ...options, host, port });
    const timer = setTimeout(() => socket.destroy(new Error("it does not answer")), SINK_WAIT_MS).unref();
    const abort = () => socket.destroy(new Error("given up"));
    signal.addEventListener("abort", abort, { once: true });
    let failure: unknown = new Error("it ended the connection at once");
    socket.on("error", (error) => {
      failure = error;
    });
    socket.once("close", () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      reject(failure);
    });
    socket.once(options === undefined ? "connect" : "secureConnect", () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.setKeepAlive(true, SINK_WAIT_MS);
      socket.resume(); // nothing is expected; whatever comes may not stop the connection's end from being seen
      resolve(socket);
    });
  });
}

/** Once the kernel has all of it. A receiver may be slow for as long as it likes, but not stand still. */
function written(socket: Socket, bytes: Buffer, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    let before = socket.writableLength;
    const timer = setInterval(() => {
      if (socket.writableLength === before) socket.destroy();
      before = socket.writableLength;
    }, SYSLOG_STALL_MS).unref();
    const finish = (outcome: Outcome) => {
      clearInterval(timer);
      socket.off("close", closed);
      signal.removeEventListener("abort", closed);
      resolve(outcome);
    };
    const closed = () => finish({ kind: "failed", reason: "the connection ended while it was written to" });
    socket.once("close", closed);
    signal.addEventListener("abort", closed, { once: true });
    if (socket.destroyed) return closed();
    socket.write(bytes, (error) => {
      if (error) finish({ kind: "failed", reason: messageOf(error) });
      else finish({ kind: "sent" });
    });
  });
}
