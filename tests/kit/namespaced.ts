/** What tests of namespaces share: a guard without a daemon around it, and python agents that do step after step. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { TestContext } from "node:test";
import { type Accepted, type Origin, removePinned } from "ebpf-loader";
import { NAMESPACE_GRACE_MS } from "../../src/base/limits.ts";
import { Interception, pinDirOf } from "../../src/kernel/interception.ts";
import type { NamespaceTold } from "../../src/kernel/namespaces.ts";
import { CGROUP_ROOT, makeCgroup, registered, undo, uniqueName } from "../native/kit.ts";
import { makeNetNamespace, type NetNamespace } from "./netns.ts";

export const BACKEND = "192.0.2.10";
export const BACKEND_V6 = "2001:db8::10";
export const PORT = 5432;
export const BACKENDS = [registered(BACKEND, PORT), registered(BACKEND_V6, PORT)];
export const UP = { lo: "up", network: "some" } as const;
const TOLD_WAIT_MS = 5_000;
let nextPort = 21_300 + (process.pid % 500) * 16;

/** Below the ephemeral range; another one each time, and for each test process. */
export function listenerPort(): number {
  return nextPort++;
}

/** Tags one cgroup, answers every connection with where it was dialled, every query with "answer". */
export class Guard {
  readonly cgroup: string;
  readonly runDir = mkdtempSync(join(tmpdir(), "sallyport-test-"));
  readonly port = listenerPort();
  readonly interception: Interception;
  readonly told: NamespaceTold[] = [];
  readonly accepted: Accepted[] = [];
  readonly queries: Origin[] = [];

  constructor(t: TestContext) {
    this.cgroup = makeCgroup(t, `${CGROUP_ROOT}/${uniqueName()}`);
    this.interception = new Interception({ runDir: this.runDir, port: this.port, cgroupRoot: CGROUP_ROOT });
    undo(t, () => {
      this.interception.close();
      removePinned(pinDirOf(this.runDir));
      rmSync(this.runDir, { recursive: true, force: true });
    });
    this.interception.tag(this.cgroup, 7);
    this.interception.setDestinations(BACKENDS);
    this.interception.watch(() => {});
    this.interception.listen(
      {
        onConnection: (accepted) => this.#answer(accepted),
        onQuery: (_message, origin, answer) => {
          this.queries.push(origin);
          answer(Buffer.from("answer"));
        },
      },
      (told) => this.told.push(told),
    );
  }

  /** A process that stays, in the tagged cgroup and in a namespace, and runs python steps one after the other. */
  agent(t: TestContext, namespace: Pick<NetNamespace, "path">): Agent {
    return new Agent(t, namespace, this.cgroup);
  }

  /** Until the condition holds, with upkeep; a round takes as long as events of the kernel may. */
  async until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + TOLD_WAIT_MS + NAMESPACE_GRACE_MS;
    while (!holds()) {
      if (performance.now() > deadline) throw new Error(`It never came: ${JSON.stringify(this.told)}`);
      this.interception.tend();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #answer(accepted: Accepted): void {
    this.accepted.push(accepted);
    try {
      writeSync(accepted.fd, accepted.origin?.address ?? "no origin");
    } catch {
      // its client is gone
    } finally {
      closeSync(accepted.fd);
    }
  }
}

const STEPS = `
import errno, json, socket, sys
def dial(host, family):
    with socket.socket(family) as s:
        s.settimeout(5)
        s.connect((host, ${PORT}))
        return s.recv(99).decode()
def ask(host, family):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(b"question", (host, 53))
        return [s.recv(99).decode()]
for line in sys.stdin:
    try: out = eval(line)
    except OSError as e: out = errno.errorcode.get(e.errno, str(e))
    print(json.dumps(out), flush=True)
`;

export class Agent {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly pid: number;

  constructor(t: TestContext, { path }: Pick<NetNamespace, "path">, cgroup: string) {
    const enter = 'echo $$ > "$1/cgroup.procs" && exec nsenter --net="$2" /usr/bin/python3 -I -c "$3"';
    this.#child = spawn("sh", ["-c", enter, "sh", cgroup, path, STEPS], { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    this.pid = this.#child.pid ?? 0;
    undo(t, () => this.leave());
  }

  async does(step: string): Promise<unknown> {
    this.#child.stdin?.write(`${step}\n`);
    const [line] = (await once(this.#lines, "line")) as [string];
    return JSON.parse(line);
  }

  /** Resolves once it runs its steps. */
  async ready(): Promise<this> {
    assert.equal(await this.does("1"), 1);
    return this;
  }

  dials(host = BACKEND): Promise<unknown> {
    return this.does(`dial("${host}", socket.AF_INET${host.includes(":") ? "6" : ""})`);
  }

  async leave(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

export function netns(t: TestContext, options: Parameters<typeof makeNetNamespace>[0] = UP): NetNamespace {
  const namespace = makeNetNamespace(options);
  undo(t, () => namespace.remove());
  return namespace;
}
