/** Two ends of a connection over the loopback, in this process. */
import assert from "node:assert/strict";
import { createServer, connect as dial, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** The inner one reads nothing by itself. */
export async function socketPair(t: TestContext): Promise<{ readonly outer: Socket; readonly inner: Socket }> {
  const listening = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  assert.ok(typeof address === "object" && address !== null);
  const accepted = new Promise<Socket>((resolve) => listening.once("connection", resolve));
  const outer = dial({ port: address.port, host: "127.0.0.1", allowHalfOpen: true });
  const inner = await accepted;
  outer.on("error", () => {});
  inner.on("error", () => {});
  t.after(() => {
    outer.destroy();
    inner.destroy();
    listening.close();
  });
  return { outer, inner };
}

/** Of a socket that is open. */
export const fdOf = (socket: Socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd;
