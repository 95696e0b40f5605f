"""
A sink, in a network namespace of its own or beside the attacker: listens on what it is told, captures every frame,
and says on stdout each token that truly arrived (one JSON object a line). Also does what an outsider would do when
the suite says so: dial an agent's listener, pass a socket along. Never takes an attacker's word for anything.
"""
import array
import json
import os
import re
import selectors
import socket
import struct
import sys
import threading
import time

TOKEN = re.compile(rb"tkn[0-9a-f]{16}", re.I)
QUIET_S = 0.02  # a frame that was sent before the attacker ended is here by then
ACT_S = 4.0
LOCK = threading.Lock()
SEEN = set()
POLL = selectors.DefaultSelector()


def say(**what):
    with LOCK:
        print(json.dumps(what), flush=True)


def see(data, at):
    for token in TOKEN.findall(data):
        key = (token.lower().decode(), at)
        if key not in SEEN:
            SEEN.add(key)
            say(saw=key[0], at=at)


def watch(sock, on_ready):
    sock.setblocking(False)
    POLL.register(sock, selectors.EVENT_READ, on_ready)


def drop(sock):
    POLL.unregister(sock)
    sock.close()


def stream(sock, at, on_data=None):
    tail = bytearray()

    def ready():
        try:
            data = sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            return drop(sock)
        if not data:
            return drop(sock)
        tail.extend(data)
        see(bytes(tail), at)
        if on_data is not None:
            on_data(sock, bytes(tail))
        del tail[:-4096]

    watch(sock, ready)


def listener(sock, at, on_connection):
    sock.listen(64)

    def ready():
        try:
            connection, _ = sock.accept()
        except OSError:
            return
        on_connection(connection, at)

    watch(sock, ready)


def bound(address, port, kind=socket.SOCK_STREAM, protocol=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address, port))
    return sock


def tcp(address, port):
    sock = bound(address, port)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, 23, 16)  # TCP_FASTOPEN
    except OSError:
        pass
    listener(sock, f"tcp {address} {port}", dns_stream if port == 53 else stream)


def udp(address, port, protocol=0):
    sock = bound(address, port, socket.SOCK_DGRAM, protocol)
    at = f"{'udp' if protocol == 0 else 'protocol ' + str(protocol)} {address} {port}"

    def ready():
        try:
            data, sender = sock.recvfrom(65536)
        except OSError:
            return
        see(data, at)
        if port == 53:
            answer = dns_answer(data)
            if answer:
                sock.sendto(answer, sender)

    watch(sock, ready)


def dns_stream(sock, at):
    def answer(sock, data):
        if len(data) > 14:
            reply = dns_answer(data[2:])
            if reply:
                sock.send(struct.pack(">H", len(reply)) + reply)

    stream(sock, at, answer)


def dns_answer(query):
    """Every name below a zone of the suite has the zone's address; every HTTPS record has an ech parameter."""
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin1").lower())
        at += 1 + query[at]
    kind = struct.unpack(">H", query[at + 1 : at + 3])[0] if at + 3 <= len(query) else 0
    question = query[12 : at + 5]
    zone = ".".join(labels[-2:])
    address = CONFIG["zones"].get(zone, CONFIG["zones"]["*"])
    record = b""
    if kind == 1:
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 30, 4) + socket.inet_aton(address)
    elif kind == 65:
        secret = CONFIG["secret"].encode()
        value = struct.pack(">H", 1) + b"\x00" + struct.pack(">HH", 5, len(secret)) + secret
        record = b"\xc0\x0c" + struct.pack(">HHIH", 65, 1, 30, len(value)) + value
    head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1 if record else 0, 0, 0)
    return head + question + record


def relay(address, port, target):
    """Whatever comes in goes to the target: stands for a redirector that asks nobody."""

    def connected(connection, at):
        other = socket.create_connection(tuple(target), timeout=ACT_S)
        stream(connection, at, lambda _sock, data: other.sendall(data))
        watch(other, lambda: None if other.recv(65536) else drop(other))

    listener(bound(address, port), f"relay {port}", connected)


def proxy(address, port):
    """An allowed host that goes on to whatever it is asked for: CONNECT for a proxy, Host or SNI for a front."""

    def connected(connection, at):
        def on_data(sock, data):
            match = re.match(rb"CONNECT ([0-9.]+):([0-9]+) [^\n]*\r\n\r\n(.*)", data, re.S)
            if match:
                behind = (match[1].decode(), int(match[2]))
                if not match[3]:
                    sock.send(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    with socket.create_connection(behind, timeout=ACT_S) as other:
                        other.sendall(match[3])
            elif re.search(rb"(^|\n)Host: [a-z.]*evil\.test", data) or b"evil.test" in data[:512]:
                see(data, "the evil site behind the front")
            elif data.startswith(b"SSH-2.0-"):
                see(data, "a shell on the allowed host")

        plain(connection, on_data)

    listener(bound(address, port), "", connected)


def plain(sock, on_data):
    """As stream(), but seeing is left to on_data: an allowed host may be told everything."""
    held = bytearray()

    def ready():
        try:
            data = sock.recv(65536)
        except OSError:
            return drop(sock)
        if not data:
            return drop(sock)
        held.extend(data)
        on_data(sock, bytes(held))

    watch(sock, ready)


def unix(path, kind):
    kinds = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
    sock = socket.socket(socket.AF_UNIX, kinds[kind])
    sock.bind("\0" + path[1:] if path.startswith("@") else path)
    if not path.startswith("@"):
        os.chmod(path, 0o666)
    at = f"unix {path}"
    if kind == "dgram":
        stream(sock, at)
    else:
        listener(sock, at, stream)


def netlink(port):
    """NETLINK_USERSOCK carries bytes between any two processes of a network namespace."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 2)
    sock.bind((port, 0))
    stream(sock, "netlink user socket")


def capture(ignored):
    """Every frame that reaches this namespace, but those from or to hosts that are allowed."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    skip = [socket.inet_pton(socket.AF_INET6 if ":" in one else socket.AF_INET, one) for one in ignored]

    def ready():
        try:
            frame, _ = sock.recvfrom(65536)
        except OSError:
            return
        kind = frame[12:14]
        ends = [frame[26:30], frame[30:34]] if kind == b"\x08\x00" else [frame[22:38], frame[38:54]]
        if any(end in skip for end in ends):
            return
        see(frame, "a captured frame")
        if kind == b"\x08\x00" and frame[23] == 2:
            for at in range(34, len(frame) - 3):
                if frame[at] == 239:
                    say(saw="group:" + socket.inet_ntoa(frame[at : at + 4]), at="a captured membership report")

    watch(sock, ready)


def spool(folder):
    """A cron of the suite: runs each file that appears, outside of every agent."""

    def loop():
        while True:
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                if not name.endswith(".job"):
                    continue
                text = open(path).read()
                os.unlink(path)
                if os.fork() == 0:
                    os.execv("/bin/sh", ["sh", "-c", text])
            time.sleep(0.05)

    threading.Thread(target=loop, daemon=True).start()


def act(order):
    """What an outsider does; errors are said, never fatal."""
    try:
        ACTS[order["do"]](order)
    except OSError as error:
        say(act=order["do"], error=str(error))


def dial(order):
    with socket.create_connection((order["host"], order["port"]), timeout=ACT_S) as sock:
        read_all(sock, f"an outsider that dialled {order['host']}")


def dial_unix(order):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(ACT_S)
        sock.connect(order["path"])
        read_all(sock, "an outsider that dialled a Unix socket")


def read_all(sock, at):
    sock.settimeout(ACT_S)
    while data := sock.recv(65536):
        see(data, at)


def ask_udp(order):
    family = socket.AF_INET6 if ":" in order["host"] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(ACT_S)
        sock.sendto(b"what do you know?", (order["host"], order["port"]))
        see(sock.recv(65536), f"an outsider that asked {order['host']} over UDP")


def pass_socket(order):
    """Hands a socket of our own to the agent: connected to the sink, or not yet."""
    target = tuple(order["target"])
    if order["kind"] == "connected":
        sock = socket.create_connection(target, timeout=ACT_S)
    elif order["kind"] == "udp":
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    else:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with socket.socket(socket.AF_UNIX) as channel, sock:
        channel.settimeout(ACT_S)
        channel.connect(order["path"])
        fds = array.array("i", [sock.fileno()])
        channel.sendmsg([b"here"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        channel.recv(1)


ACTS = {"dial": dial, "dial-unix": dial_unix, "ask-udp": ask_udp, "pass": pass_socket}


def turn(timeout):
    found = POLL.select(timeout)
    for key, _ in found:
        if key.fileobj is not sys.stdin and key.data is not None:
            try:
                key.data()
            except (OSError, KeyError, ValueError) as error:
                say(fault=str(error))
    return found


def orders():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    order = json.loads(line)
    if order["do"] == "barrier":
        while any(key.fileobj is not sys.stdin for key, _ in turn(QUIET_S)):
            pass
        say(barrier=order["id"])
    else:
        threading.Thread(target=act, args=(order,), daemon=True).start()


def opened(name, open_one):
    """A kind that this kernel lacks is said, not fatal: its control run will show it."""
    try:
        open_one()
    except OSError as error:
        say(lacks=name, error=str(error))


say(up=True, pid=os.getpid())
CONFIG = json.loads(sys.stdin.readline())
for address, port in CONFIG.get("tcp", []):
    opened(f"tcp {address}", lambda: tcp(address, port))
for address, port, *protocol in CONFIG.get("udp", []):
    opened(f"udp {address} {protocol}", lambda: udp(address, port, *protocol))
for address, port in CONFIG.get("mptcp", []):
    opened("mptcp", lambda: listener(bound(address, port, socket.SOCK_STREAM, 262), "mptcp", stream))
for address, port in CONFIG.get("proxies", []):
    proxy(address, port)
for address, port, *target in CONFIG.get("relays", []):
    relay(address, port, target)
for path, kind in CONFIG.get("unix", []):
    opened(f"unix {path}", lambda: unix(path, kind))
if "netlink" in CONFIG:
    opened("netlink", lambda: netlink(CONFIG["netlink"]))
if "capture" in CONFIG:
    capture(CONFIG["capture"])
for folder in CONFIG.get("spools", []):
    spool(folder)
POLL.register(sys.stdin, selectors.EVENT_READ, None)
say(ready=True)
while True:
    if any(key.fileobj is sys.stdin for key, _ in turn(None)):
        orders()
