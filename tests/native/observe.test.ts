/** Observed: what a rule refuses passes and is told; what guards Sallyport itself stays shut. It ends by itself. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import type { TestContext } from "node:test";
import { kernelTest, type Outcome, python, registered, Stand, undo } from "./kit.ts";

/** CLOCK_BOOTTIME, in ns. */
async function bootNs(): Promise<bigint> {
  const [outcome] = await python("step(lambda: str(time.clock_gettime_ns(time.CLOCK_BOOTTIME)))");
  return BigInt((outcome as { value: string }).value);
}

const soon = async (ms: number) => (await bootNs()) + BigInt(ms) * 1_000_000n;

async function server(t: TestContext): Promise<number> {
  const tcp = createServer((socket) => socket.on("error", () => {}).end("foreign")).listen(0, "127.0.0.1");
  undo(t, () => void tcp.close());
  await once(tcp, "listening");
  return (tcp.address() as AddressInfo).port;
}

const errno = (outcome: Outcome | undefined) => (outcome !== undefined && "errno" in outcome ? outcome.errno : outcome);

kernelTest("an unlisted address passes and is told; a registered one is redirected all the same", async (t) => {
  const port = await server(t);
  const stand = new Stand(t, {
    destinations: [
      registered("192.0.2.10", 5432),
      { address: "127.0.0.2", prefix: 32, port, protocol: "tcp", action: "deny", reason: "egress-rule", connection: 0 },
    ],
  });
  const dials = `dials("127.0.0.1", ${port})\ndials("192.0.2.10", 5432)\ndials("127.0.0.1", ${stand.listener.port})`;
  assert.equal(errno((await stand.agentRuns(dials))[0]), "EPERM");
  stand.interceptor.observe(stand.agent, await soon(60_000));
  const observed = await stand.agentRuns(dials);
  assert.deepEqual(observed.slice(0, 2), [{ value: "foreign" }, { value: "192.0.2.10 5432 1" }]);
  assert.equal(errno(observed[2]), "EPERM");
  await stand.event({ kind: "allow", reason: "unlisted", observed: true, port });
  await stand.event({ kind: "deny", reason: "our-listener", observed: false });
  assert.equal((await stand.event({ kind: "redirect" })).observed, false);
  stand.interceptor.observe(stand.agent, 0n);
  assert.equal(errno((await stand.agentRuns(dials))[0]), "EPERM");
});

kernelTest("sealed names, datagrams and socket kinds pass as well, and quarantine wins", async (t) => {
  const udp = createSocket("udp4").bind(0, "127.0.0.1");
  undo(t, () => void udp.close());
  await once(udp, "listening");
  udp.on("message", (_, from) => udp.send("answer", from.port, from.address));
  const stand = new Stand(t);
  const steps = `
def ask():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1); s.sendto(b"q", ("127.0.0.1", ${udp.address().port})); return s.recv(10).decode()
step(ask)
def ping():
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) as s:
        s.settimeout(1)
        s.sendto(b"\\x08\\x00\\xe5\\xfe\\x12\\x00\\x00\\x01", ("127.0.0.1", 0)); return len(s.recv(100)) > 0
step(ping)
dials("127.0.0.1", 853)`;
  assert.deepEqual((await stand.agentRuns(steps)).map(errno), ["EPERM", "EPERM", "EPERM"]);
  stand.interceptor.observe(stand.agent, await soon(60_000));
  const [ask, ping, sealed] = await stand.agentRuns(steps);
  assert.deepEqual([ask, ping], [{ value: "answer" }, { value: true }]);
  assert.equal(errno(sealed), "ECONNREFUSED"); // nobody listens there, but the kernel let it pass
  await stand.event({ kind: "allow", reason: "unlisted", observed: true, protocol: 17 });
  await stand.event({ kind: "socket", reason: "socket-kind", observed: true });
  await stand.event({ kind: "backstop", reason: "not-admitted", observed: true, protocol: 1, agent: stand.agent });
  await stand.event({ kind: "allow", reason: "sealed-names", observed: true });
  stand.interceptor.quarantine(stand.agent, true);
  assert.deepEqual((await stand.agentRuns(steps)).map(errno), ["EPERM", "EPERM", "EPERM"]);
});

kernelTest("observing ends by itself, also for what is open", async (t) => {
  const echo = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
  undo(t, () => void echo.close());
  await once(echo, "listening");
  const { port } = echo.address() as AddressInfo;
  const stand = new Stand(t);
  const ready = `${tmpdir()}/${stand.name}`;
  undo(t, () => rmSync(ready, { force: true, recursive: true }));
  const running = stand.agentRuns(`
os.mkdir("${ready}")
while "errno" in dials("127.0.0.1", ${port}, timeout=0.05) and results.pop()["errno"] == "EPERM": time.sleep(0.01)
results.clear()
s = socket.create_connection(("127.0.0.1", ${port})); s.settimeout(1)
def echo():
    s.sendall(b"x"); return s.recv(1).decode()
step(echo)
while dials("127.0.0.1", ${port}, timeout=0.05)["errno"] != "EPERM": results.pop()
step(echo)`);
  while (!existsSync(ready)) await new Promise((resolve) => setImmediate(resolve));
  stand.interceptor.observe(stand.agent, await soon(3_000));
  const outcome = await running;
  assert.deepEqual(outcome[0], { value: "x" });
  assert.equal(errno(outcome[1]), "EPERM");
  assert.ok(outcome[2] !== undefined && "errno" in outcome[2], JSON.stringify(outcome[2]));
  await stand.event({ kind: "backstop", reason: "not-admitted", observed: false });
});
