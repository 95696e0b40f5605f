/** The door for Prometheus servers: one path, one address, and never left half open. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { MetricsEndpoint } from "../../src/control/doors/metrics.ts";
import { freePort } from "../kit/free-port.ts";

const quiet = () => {};
const LOG = { debug: quiet, info: quiet, warn: quiet, error: quiet };

function endpointFor(t: TestContext, text: () => string = () => "x 1\n"): MetricsEndpoint {
  const endpoint = new MetricsEndpoint(text, LOG);
  t.after(() => endpoint.close());
  return endpoint;
}

/** The status and text, or the code of the error. */
async function ask(port: number, path = "/metrics", method = "GET", host = "127.0.0.1"): Promise<string> {
  const sent = request({ host, port, path, method, agent: false }).end();
  try {
    const [response] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
    let text = "";
    for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) text += chunk;
    return `${response.statusCode} ${text.trim()}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

test("metrics are at /metrics, and nothing else is anywhere", async (t) => {
  const endpoint = endpointFor(t);
  const port = await freePort();
  await endpoint.change({ address: "127.0.0.1", port });
  assert.equal(await ask(port), "200 x 1");
  assert.equal(await ask(port, "/metrics?name=x"), "200 x 1");
  assert.match(await ask(port, "/"), /^404 /);
  assert.match(await ask(port, "/v1/status"), /^404 /);
  assert.match(await ask(port, "/metrics", "POST"), /^405 /);
  assert.equal(await ask(port, "/metrics", "GET", "127.0.0.2"), "ECONNREFUSED");
});

test("a reading that fails is a 500 without its reason", async (t) => {
  const endpoint = endpointFor(t, () => {
    throw new Error("what nobody shall see");
  });
  const port = await freePort();
  await endpoint.change({ address: "127.0.0.1", port });
  assert.equal(await ask(port), "500 The daemon failed at this request; see its log");
});

test("it goes where the settings say, also to another address with the same port, and away", async (t) => {
  const endpoint = endpointFor(t);
  const [first, second] = [await freePort(), await freePort()];
  await endpoint.change({ address: "127.0.0.1", port: first });
  await endpoint.change({ address: "127.0.0.1", port: second });
  assert.equal(await ask(first), "ECONNREFUSED");
  await endpoint.change({ address: "0.0.0.0", port: second });
  assert.equal(await ask(second, "/metrics", "GET", "127.0.0.2"), "200 x 1");
  await endpoint.change(undefined);
  assert.equal(await ask(second), "ECONNREFUSED");
});

test("where it cannot listen it says so, and stays where it was", async (t) => {
  const endpoint = endpointFor(t);
  const port = await freePort();
  await endpoint.change({ address: "127.0.0.1", port });
  const taken = createServer().listen(0, "127.0.0.1");
  t.after(() => void taken.close());
  await once(taken, "listening");
  const { port: other } = taken.address() as import("node:net").AddressInfo;
  const says = { code: "METRICS_LISTEN", message: `Cannot serve metrics at 127.0.0.1 port ${other}: EADDRINUSE` };
  await assert.rejects(endpoint.change({ address: "127.0.0.1", port: other }), says);
  assert.equal(await ask(port), "200 x 1");
  await assert.rejects(endpoint.change({ address: "192.0.2.1", port }), { code: "METRICS_LISTEN" });
  assert.equal(await ask(port), "200 x 1");
});
