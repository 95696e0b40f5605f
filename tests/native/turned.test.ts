/** Who may write NAT rules in its namespace cannot lead an allowed flow to where no rule lets it go. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import type { Destination } from "ebpf-loader";
import { allowed, kernelTest, type Outcome, Stand, type StandOptions, undo } from "./kit.ts";

const ALLOWED = ["10.77.0.1", "2001:db8:77::1"];
const ELSEWHERE = ["10.77.0.2", "2001:db8:77::2"];
const PORT = 7000;

const rules: Destination[] = ALLOWED.flatMap((address) => [
  allowed(address, PORT),
  allowed(address, PORT, "udp"),
  allowed(address, PORT + 1),
]);

const NAT = `
ip link set lo up
ip -4 addr add 10.77.0.1/32 dev lo; ip -4 addr add 10.77.0.2/32 dev lo
ip -6 addr add 2001:db8:77::1/128 dev lo nodad; ip -6 addr add 2001:db8:77::2/128 dev lo nodad
for protocol in tcp udp; do
  iptables -t nat -A OUTPUT -p $protocol -d 10.77.0.1 --dport ${PORT} -j DNAT --to-destination 10.77.0.2:${PORT} || exit 1
  ip6tables -t nat -A OUTPUT -p $protocol -d 2001:db8:77::1 --dport ${PORT} -j DNAT --to-destination "[2001:db8:77::2]:${PORT}" || exit 1
done`;

/** Answers every caller with the address that was reached. */
const SERVERS = `
import socket, sys, threading
def streams(server):
    while True:
        peer, _ = server.accept(); peer.sendall(peer.getsockname()[0].encode()); peer.close()
def datagrams(server, address):
    while True:
        _, peer = server.recvfrom(100); server.sendto(address.encode(), peer)
for address in ("10.77.0.1", "10.77.0.2", "2001:db8:77::1", "2001:db8:77::2"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in (${PORT}, ${PORT + 1}):
        server = socket.socket(family); server.bind((address, port)); server.listen()
        threading.Thread(target=streams, args=(server,), daemon=True).start()
    server = socket.socket(family, socket.SOCK_DGRAM); server.bind((address, ${PORT}))
    threading.Thread(target=datagrams, args=(server, address), daemon=True).start()
print("up", flush=True)
sys.stdin.read()`;

/** A stand whose agent runs python in a namespace with servers, and with these rules of its packet filter. */
async function standIn(t: TestContext, setup: string, options: StandOptions) {
  const holder = spawn("unshare", ["--net", "sh", "-c", `${setup}\nexec /usr/bin/python3 -I -c "$0"`, SERVERS], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  undo(t, () => void holder.kill());
  const [first] = (await once(holder.stdout, "data")) as [Buffer];
  assert.match(first.toString(), /^up/u);
  const stand = new Stand(t, { destinations: rules, ...options });
  const runs = (code: string) =>
    stand.agentRuns(`
netns = open("/proc/${holder.pid}/ns/net")
if __import__("ctypes").CDLL(None).setns(netns.fileno(), 0) != 0: raise SystemExit("setns failed")
${code}`);
  return { stand, runs };
}

const FLOWS = `
def asks(family, host, connected):
    def body():
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            if connected: s.connect((host, ${PORT})); s.send(b"x")
            else: s.sendto(b"x", (host, ${PORT}))
            return s.recv(100).decode()
    return step(body)
def every(host4, host6, mapped):
    dials(host4, ${PORT}, timeout=0.5); dials(mapped, ${PORT}, socket.AF_INET6, timeout=0.5)
    dials(host6, ${PORT}, socket.AF_INET6, timeout=0.5)
    for connected in (True, False):
        asks(socket.AF_INET, host4, connected); asks(socket.AF_INET6, mapped, connected)
        asks(socket.AF_INET6, host6, connected)
every("${ALLOWED[0]}", "${ALLOWED[1]}", "::ffff:${ALLOWED[0]}")
dials("${ALLOWED[0]}", ${PORT + 1}); dials("${ALLOWED[1]}", ${PORT + 1}, socket.AF_INET6)`;

const reached = (outcome: readonly Outcome[]) => outcome.map((one) => ("value" in one ? one.value : "nowhere"));
const each = (four: string, six: string) => Array(3).fill([four, four, six]).flat();
const UNTURNED = [...ALLOWED];

kernelTest("a flow that NAT turns away from what was allowed is dropped, and told", async (t) => {
  const { stand, runs } = await standIn(t, NAT, {});
  assert.deepEqual(reached(await runs(FLOWS)), [...each("nowhere", "nowhere"), ...UNTURNED]);
  for (const protocol of [6, 17])
    for (const address of ELSEWHERE) {
      const event = await stand.event({ kind: "backstop", reason: "turned", protocol, address, port: PORT });
      assert.equal(event.agent, stand.agent);
    }
});

kernelTest("control: without the packet filter it arrives where NAT led it", async (t) => {
  const { runs } = await standIn(t, NAT, { without: ["egress"] });
  assert.deepEqual(reached(await runs(FLOWS)), [...each(ELSEWHERE[0] as string, ELSEWHERE[1] as string), ...UNTURNED]);
});

kernelTest("control: without NAT the same flows arrive where they were allowed", async (t) => {
  const setup = NAT.slice(0, NAT.indexOf("for protocol"));
  const { stand, runs } = await standIn(t, setup, {});
  assert.deepEqual(reached(await runs(FLOWS)), [...each(ALLOWED[0] as string, ALLOWED[1] as string), ...UNTURNED]);
  assert.equal(stand.events.filter(({ kind }) => kind === "backstop").length, 0);
});

kernelTest("NAT that leads to another allowed address is left alone", async (t) => {
  const destinations = [
    ...rules,
    ...ELSEWHERE.flatMap((address) => [allowed(address, PORT), allowed(address, PORT, "udp")]),
  ];
  const { runs } = await standIn(t, NAT, { destinations });
  assert.deepEqual(reached(await runs(FLOWS)), [...each(ELSEWHERE[0] as string, ELSEWHERE[1] as string), ...UNTURNED]);
});

kernelTest("an agent's own servers answer on loopback, whoever is the client", async (t) => {
  const stand = new Stand(t, { destinations: [allowed("127.0.0.1", 0, "udp")] });
  const outcome = await stand.agentRuns(`
def own(family, host):
    def body():
        server = socket.socket(family); server.bind((host, 0)); server.listen(); server.settimeout(2)
        s = socket.socket(family); s.settimeout(2); s.connect(server.getsockname()); peer, _ = server.accept()
        s.sendall(b"ask"); peer.settimeout(2); asked = peer.recv(9); peer.sendall(b"answer"); return [asked.decode(), s.recv(9).decode()]
    return step(body)
own(socket.AF_INET, "127.0.0.1"); own(socket.AF_INET6, "::1"); own(socket.AF_INET6, "::ffff:127.0.0.1")
def datagrams():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind(("127.0.0.1", 0)); server.settimeout(2)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); s.sendto(b"ask", server.getsockname())
    _, peer = server.recvfrom(9); server.sendto(b"answer", peer); return s.recv(9).decode()
step(datagrams)`);
  const both = { value: ["ask", "answer"] };
  assert.deepEqual(outcome, [both, both, both, { value: "answer" }]);
  assert.equal(stand.events.filter(({ kind }) => kind === "backstop").length, 0);
});
