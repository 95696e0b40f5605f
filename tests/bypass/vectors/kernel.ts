/** Ways round by undoing the guard itself: its daemon, its pins, the kernel under it. */
import type { Vector } from "../vector.ts";

const FILES = ["read-only", "hidden", "permission", "seccomp", "capability"];

export const GUARD: readonly Vector[] = [
  {
    name: "daemon-killed",
    what: "kills the daemon, then connects to unlisted and registered addresses",
    attack: `
step("kill")
os.kill(T["victim"], signal.SIGKILL)
time.sleep(0.2)
for port in (T["port"]["registered"], T["port"]["sink"]):
    try:
        dial(T["sink4"], port)
    except OSError as error:
        last = error
raise last`,
    closedBy: ["unlisted", "scope", "capability"],
    scoped: true,
    capability: "KILL",
    places: ["root", "child"],
    disturbs: true,
  },
  {
    name: "daemon-stopped",
    what: "stops the daemon by SIGSTOP, then connects to unlisted and registered addresses",
    attack: `
step("kill")
os.kill(T["victim"], signal.SIGSTOP)
for port in (T["port"]["registered"], T["port"]["sink"]):
    try:
        dial(T["sink4"], port)
    except OSError as error:
        last = error
raise last`,
    closedBy: ["unlisted", "scope", "capability"],
    scoped: true,
    capability: "KILL",
    places: ["root", "child"],
    disturbs: true,
  },
  {
    name: "daemon-memory",
    what: "opens the daemon's memory for writing",
    attack: `
step("open mem")
with open(f"/proc/{T['victim']}/mem", "r+b", buffering=0):
    made("the memory of the daemon")`,
    judge: "made",
    closedBy: ["scope", "capability"],
    scoped: true,
    capability: "SYS_PTRACE",
    places: ["root", "child"],
  },
  {
    name: "daemon-traced",
    what: "attaches to the daemon by ptrace",
    attack: `
step("ptrace")
call(101, 0x4206, T["victim"], 0, 0)
made("a trace of the daemon")`,
    judge: "made",
    closedBy: ["scope", "capability"],
    scoped: true,
    capability: "SYS_PTRACE",
    places: ["root", "child"],
  },
  {
    name: "listener-port-while-down",
    what: "kills the daemon and takes its port, to be given other agents' connections",
    attack: `
step("kill")
os.kill(T["victim"], signal.SIGKILL)
time.sleep(0.2)
sock = stream("127.0.0.1")
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
step("bind")
sock.bind(("127.0.0.1", T["listener"] if T["guarded"] else 0))
sock.listen()
made("the listener's port")`,
    judge: "made",
    closedBy: ["listener-port", "scope", "capability"],
    scoped: true,
    capability: "KILL",
    places: ["root", "child"],
    disturbs: true,
  },
  {
    name: "listener-port-shared",
    what: "binds the listener's port beside the daemon with SO_REUSEPORT and SO_REUSEADDR",
    attack: `
sock = stream("127.0.0.1")
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
step("bind")
sock.bind(("127.0.0.2", T["listener"]))
sock.listen()
made("the listener's port on another address")`,
    judge: "made",
    closedBy: ["listener-port"],
  },
  {
    name: "bpf-program",
    what: "loads a BPF program",
    attack: `
program = ctypes.create_string_buffer(struct.pack("<QQ", 0xb7, 0x95))
licence = ctypes.create_string_buffer(b"GPL")
step("bpf")
for kind in (1, 8):
    attributes = ctypes.create_string_buffer(struct.pack("<IIQQ", kind, 2, ctypes.addressof(program), ctypes.addressof(licence)), 128)
    made("a program, descriptor " + str(call(321, 5, attributes, 128)))`,
    judge: "made",
    closedBy: ["seccomp", "capability"],
    capability: "BPF",
  },
  {
    name: "bpf-tables",
    what: "opens the guard's tables by number, to take its own tag out",
    attack: `
step("bpf")
number, found = 0, []
while True:
    attributes = ctypes.create_string_buffer(struct.pack("<II", number, 0), 128)
    try:
        call(321, 12, attributes, 128)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        break
    number = struct.unpack_from("<I", attributes, 4)[0]
    found.append(call(321, 14, ctypes.create_string_buffer(struct.pack("<I", number), 128), 128))
if not found:
    raise OSError(errno.ENOENT, "no table")
made(f"{len(found)} tables")`,
    judge: "made",
    closedBy: ["seccomp", "capability"],
    capability: "BPF",
  },
  {
    name: "pins-removed",
    what: "removes what is pinned in the BPF file system (a decoy beside the guard's pins)",
    attack: `
step("rmdir")
os.rmdir(T["decoy"])`,
    judge: "decoy",
    closedBy: FILES,
    capability: "SYS_ADMIN",
  },
  {
    name: "bpf-fresh-mount",
    what: "mounts the BPF file system anew, to have its own pins",
    attack: `
folder = "/tmp/" + T["token"]
os.mkdir(folder)
step("mount")
if LIBC.mount(b"none", folder.encode(), b"bpf", 0, None) < 0:
    raise OSError(ctypes.get_errno(), "mount")
LIBC.umount2(folder.encode(), 2)
os.rmdir(folder)
made("a BPF file system")`,
    judge: "made",
    closedBy: ["seccomp", "capability"],
    capability: "SYS_ADMIN",
  },
];

const written = (name: string, path: string, what: string): Vector => ({
  name,
  what: `writes ${path}, ${what}`,
  attack: `
step("open")
with open("${path}", "r+") as file:
    text = file.read()
    file.seek(0)
    step("write")
    file.write(text)
made("${path}")`,
  judge: "made",
  closedBy: FILES,
});

export const KERNEL: readonly Vector[] = [
  written("core-pattern", "/proc/sys/kernel/core_pattern", "whose program the kernel runs outside, as root"),
  written("kernel-module-loader", "/proc/sys/kernel/modprobe", "which the kernel runs outside, as root"),
  written("network-settings", "/proc/sys/net/ipv4/ip_forward", "to become a router for others"),
  {
    name: "kernel-module",
    what: "loads a kernel module",
    attack: `
step("init_module")
try:
    call(175, ctypes.create_string_buffer(64), 64, ctypes.create_string_buffer(1))
except OSError as error:
    if error.errno in (errno.ENOEXEC, errno.EINVAL):
        made("the right to load modules")
    else:
        raise`,
    judge: "made",
    closedBy: ["seccomp", "capability"],
    capability: "SYS_MODULE",
  },
  {
    name: "kernel-replaced",
    what: "loads another kernel (kexec)",
    attack: `
step("kexec_load")
call(246, 0, 0, 0, 0)
made("the right to load a kernel")`,
    judge: "made",
    closedBy: ["seccomp", "capability"],
    capability: "SYS_BOOT",
  },
  {
    name: "memory-device",
    what: "opens /dev/mem",
    attack: `
step("open")
os.close(os.open("/dev/mem", os.O_RDWR))
made("/dev/mem")`,
    judge: "made",
    closedBy: FILES,
  },
  {
    name: "disk-device",
    what: "opens the root file system's own disk for writing",
    attack: `
number = os.stat("/").st_dev
path = "/tmp/" + T["token"]
step("mknod")
os.mknod(path, 0o600 | 0o060000, os.makedev(os.major(number), os.minor(number)))
try:
    step("open")
    os.close(os.open(path, os.O_RDWR))
    made("the disk")
finally:
    os.unlink(path)`,
    judge: "made",
    closedBy: FILES,
    capability: "MKNOD",
  },
  {
    name: "network-filter",
    what: "rewrites destinations by the kernel's packet filter",
    attack: `
step("socket")
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
step("send")
def message(kind, flags, family):
    return struct.pack("=IHHII", 20, kind, flags, 1, 0) + struct.pack(">BBH", family, 0, 10)
table = struct.pack("=HH", 12, 1) + b"bypass\\0\\0"
body = struct.pack(">BBH", 2, 0, 0) + table
sock.sendto(message(16, 1, 0) + struct.pack("=IHHII", 16 + len(body), 0xa00, 0x405, 2, 0) + body + message(17, 1, 0), (0, 0))
step("answer")
while True:
    answer = sock.recv(4096)
    kind, code = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    if kind == 2 and code:
        raise OSError(-code, os.strerror(-code))
    break
sock.sendto(message(16, 1, 0) + struct.pack("=IHHII", 16 + len(body), 0xa02, 5, 3, 0) + body + message(17, 1, 0), (0, 0))
made("a table of the packet filter")`,
    judge: "made",
    closedBy: ["socket-kind", "seccomp", "capability"],
    capability: "NET_ADMIN",
  },
  {
    name: "network-device",
    what: "makes a tunnel device of its own, whose packets are the kernel's",
    attack: `
step("socket")
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute(3, b"bypass0\\0") + attribute(18, attribute(1, b"veth"))
step("answer")
sock.send(struct.pack("=IHHII", 16 + len(body), 16, 0x605, 1, 0) + body)
code = struct.unpack_from("=i", sock.recv(4096), 16)[0]
if code:
    raise OSError(-code, os.strerror(-code))
body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attribute(3, b"bypass0\\0")
sock.send(struct.pack("=IHHII", 16 + len(body), 17, 5, 2, 0) + body)
made("a network device")`,
    judge: "made",
    closedBy: ["socket-kind", "seccomp", "capability"],
    capability: "NET_ADMIN",
  },
];
