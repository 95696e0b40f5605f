/** A port that nobody listens on. Another process may take it before its user does: whoever binds it retries. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** Chosen by the kernel from the ephemeral range, free on `address` at the time of asking. */
export async function freePort(address = "127.0.0.1"): Promise<number> {
  const server = createServer().listen(0, address);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
