/** What is told to a service manager, and what is taken from it; systemd itself has its say in tests/service. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { HELD_DESCRIPTORS_MAX, PULSE_EVERY_MS } from "../../src/base/limits.ts";
import { createLog } from "../../src/base/log.ts";
import { ServiceManager } from "../../src/daemon/service.ts";

const silent = createLog(() => {});

function managed(environment: Record<string, string | undefined> = {}) {
  const told: [string, readonly number[] | undefined][] = [];
  const all: Record<string, string | undefined> = { NOTIFY_SOCKET: "/run/notify", ...environment };
  const service = new ServiceManager(all, silent, (state, fds) => {
    told.push([state, fds]);
    return true;
  });
  return { service, told, environment: all };
}

const HANDED = { LISTEN_PID: String(process.pid), LISTEN_FDS: "3", LISTEN_FDNAMES: "api:tcp4:tcp6-77" };

test("descriptors are taken by name, the API's apart, and no child finds them again", () => {
  const { service, environment } = managed(HANDED);
  assert.equal(service.apiSocket, 3);
  assert.deepEqual(service.inherited, [
    { name: "tcp4", fd: 4 },
    { name: "tcp6-77", fd: 5 },
  ]);
  assert.deepEqual(environment, { NOTIFY_SOCKET: "/run/notify" });
});

for (const [name, change] of [
  ["for another process", { LISTEN_PID: "1" }],
  ["without a number", { LISTEN_FDS: "" }],
  ["with a number that is none", { LISTEN_FDS: "-1" }],
] as const) {
  test(`descriptors ${name} are left alone`, () => {
    const { service } = managed({ ...HANDED, ...change });
    assert.deepEqual([service.apiSocket, service.inherited], [undefined, []]);
  });
}

test("only what changes among the listeners is told: new ones are stored, gone ones removed", () => {
  const { service, told } = managed(HANDED);
  service.hold([
    { name: "tcp4", fd: 4 },
    { name: "udp4", fd: 9 },
  ]);
  assert.deepEqual(told.splice(0), [
    ["FDSTOREREMOVE=1\nFDNAME=tcp6-77", undefined],
    ["FDSTORE=1\nFDPOLL=0\nFDNAME=udp4", [9]],
  ]);
  service.hold([
    { name: "udp4", fd: 10 },
    { name: "tcp4", fd: 4 },
  ]);
  assert.deepEqual(told.splice(0), [
    ["FDSTOREREMOVE=1\nFDNAME=udp4", undefined],
    ["FDSTORE=1\nFDPOLL=0\nFDNAME=udp4", [10]],
  ]);
});

test("no more listeners are given than the store has places for", () => {
  const { service, told } = managed();
  service.hold(Array.from({ length: HELD_DESCRIPTORS_MAX + 5 }, (_, fd) => ({ name: `tcp4-${fd}`, fd })));
  assert.equal(told.length, HELD_DESCRIPTORS_MAX);
});

test("ready, reloading and stopping are told in the words of sd_notify, on one line each", () => {
  const { service, told } = managed();
  service.reloading();
  service.ready("Guarding\nREADY=0");
  service.stopping("Draining");
  const [reloading, ...rest] = told.map(([state]) => state);
  assert.match(reloading ?? "", /^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=/);
  assert.deepEqual(rest, ["READY=1\nSTATUS=Guarding READY=0", "STOPPING=1\nSTATUS=Draining"]);
});

test("the watchdog hears the loop until the end", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  const { service, told } = managed();
  const end = service.beat();
  mock.timers.tick(PULSE_EVERY_MS * 3);
  end();
  mock.timers.tick(PULSE_EVERY_MS * 3);
  mock.timers.reset();
  assert.deepEqual(
    told.map(([state]) => state),
    ["WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"],
  );
});

test("without a manager nothing is told, and nobody holds the listeners", () => {
  const told: string[] = [];
  const service = new ServiceManager({}, silent, (state) => told.push(state) > 0);
  service.hold([{ name: "tcp4", fd: 4 }]);
  service.ready("Guarding");
  assert.deepEqual([service.holder, told], ["nobody", []]);
});

test("a manager that does not listen does not end the daemon", () => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  const service = new ServiceManager({ NOTIFY_SOCKET: "/gone" }, log, () => {
    throw new Error("ENOENT");
  });
  service.ready("Guarding");
  assert.match(lines.join("\n"), /cannot be told/);
});
