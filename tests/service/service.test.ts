/** The service on a booted host: what systemd thinks of its units, and what it does at start, reload, death, stop and removal. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { type BootedHost, SALLYPORT } from "./host.ts";
import { type ServiceWorld, startServiceWorld } from "./world.ts";

let world: ServiceWorld;
let host: BootedHost;
let untouched: readonly string[];
before(async () => {
  world = await startServiceWorld("bare");
  host = world.host;
  untouched = await inventory();
  await world.sallyport("service", "install");
});
after(() => world.stop());

const SERVICE = "sallyport.service";

/** All that a removal could leave: files, kernel objects, listeners, units, groups. What systemd and dpkg keep for themselves is not ours. */
async function inventory(): Promise<readonly string[]> {
  const look = [
    `find /etc /usr /var /run /sys/fs/bpf /sys/fs/cgroup/${host.name}/payload -xdev 2>/dev/null`,
    "ss -Hlntu | awk '{print \"listener\", $1, $5}'",
    "getent group | sed 's/^/group /'",
    "systemctl list-units --all --plain --no-legend 'sallyport*' | sed 's/^/unit /'",
  ].join("; ");
  const text = await host.must("sh", "-c", look);
  // backups of the group file, what the journal and systemd write about every unit, the runs of this very test
  const noise =
    /^\/etc\/(g?shadow|group)-$|^\/var\/(log|cache|tmp)|^\/run\/(systemd|log|udev|credentials|agetty)|\/payload\/(system\.slice|init\.scope)/;
  return text
    .split("\n")
    .filter((line) => line !== "" && !noise.test(line))
    .sort();
}

test("systemd finds nothing to say against the units", async () => {
  const units = ["sallyport.service", "sallyport.socket"].map((name) => `/etc/systemd/system/${name}`);
  const { code, stdout, stderr } = await host.does(["systemd-analyze", "verify", ...units]);
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
});

test("systemd-analyze security calls the service no worse than exposed to what it must do", async () => {
  const { stdout } = await host.does(["systemd-analyze", "security", "--no-pager", SERVICE]);
  const level = Number(/exposure level for [^:]+: ([\d.]+)/.exec(stdout)?.[1]);
  assert.ok(level > 0 && level < 5, `${level}`);
});

test("after install it runs, comes at boot, and systemd holds its listeners", async () => {
  const status = await world.status();
  assert.equal(status.active, "active");
  assert.ok(status.held >= 2, `${status.held} listeners are held`);
  assert.match(await host.must("systemctl", "is-enabled", SERVICE), /^enabled/);
  assert.match(await host.must("stat", "-c", "%a %G", "/run/sallyport/api.sock"), /^660 sallyport$/m);
});

test("settings that exist are not touched by another install, and the agents' daemon is the new one", async () => {
  const before = await host.must("cat", "/etc/sallyport/sallyport.yaml");
  const { pid } = await world.status();
  await world.sallyport("service", "install");
  assert.equal(await host.must("cat", "/etc/sallyport/sallyport.yaml"), before);
  assert.notEqual((await world.status()).pid, pid);
});

test("an agent lives in a scope of sallyport.slice, the daemon in system.slice", async () => {
  const agent = await world.sallyport("run", "--quiet", "--as", "ci", "--", "cat", "/proc/self/cgroup");
  assert.match(agent, /^0::.*\/sallyport\.slice\/[^/]+\.scope$/m);
  const { pid } = await world.status();
  assert.match(await host.must("cat", `/proc/${pid}/cgroup`), /^0::.*\/system\.slice\/sallyport\.service$/m);
});

test("of root's capabilities the daemon has those of the unit", async () => {
  const { pid } = await world.status();
  const bits = /^CapEff:\t(\w+)$/m.exec(await host.must("cat", `/proc/${pid}/status`))?.[1] ?? "";
  const names = ["dac_read_search", "net_admin", "sys_ptrace", "sys_admin", "perfmon", "bpf"];
  const set = (await host.must("capsh", `--decode=${bits}`))
    .split("=")[1]
    ?.trim()
    .split(",")
    .map((name) => name.slice(4));
  assert.deepEqual(set?.sort(), names.sort());
});

test("a reload with settings that are wrong fails, says why, and what was in force stays", async () => {
  const right = await host.must("cat", "/etc/sallyport/sallyport.yaml");
  const { pid } = await world.status();
  await host.writes("/etc/sallyport/sallyport.yaml", `${right}\nnonsense: true\n`);
  assert.notEqual((await host.does(["systemctl", "reload", SERVICE])).code, 0);
  assert.match(await host.must("journalctl", "-u", SERVICE, "--no-pager", "-n", "20"), /SETTINGS_INVALID/);
  assert.equal((await world.status()).pid, pid);
  await host.writes("/etc/sallyport/sallyport.yaml", right);
  await host.must("systemctl", "reload", SERVICE);
});

test("without its socket's daemon a command waits and starts it", async () => {
  await host.must("systemctl", "stop", SERVICE);
  assert.equal((await world.status()).active, "inactive");
  assert.match(await world.sallyport("status"), /Guarding|process/);
  assert.equal((await world.status()).active, "active");
});

test("when it is stopped on purpose, agents are refused at once, and served again after the start", async () => {
  const shell = agentShell();
  const dial = `exec 3<>/dev/tcp/${world.echo.replace(":", "/")}; echo hello >&3; read -t 5 line <&3; echo $line`;
  assert.match(await shell.does(`bash -c '${dial}'`), /hello/);
  await host.must("systemctl", "stop", "sallyport.socket", SERVICE);
  assert.match(await shell.does(`bash -c '${dial}' 2>&1`), /refused|not permitted/i);
  await host.must("systemctl", "start", "sallyport.socket", SERVICE);
  assert.match(await shell.does(`bash -c '${dial}'`), /hello/);
  await shell.leave();
});

test("service remove --purge refuses while an agent lives, and the service goes on", async () => {
  const shell = agentShell();
  await shell.does("true");
  const { code, stderr } = await host.does([SALLYPORT, "service", "remove", "--purge"]);
  assert.equal(code, 1);
  assert.match(stderr, /AGENTS_RUNNING/);
  assert.equal((await world.status()).active, "active", await host.journal());
  await shell.leave();
});

test("service remove keeps settings, state and pins; with --purge nothing stays", async () => {
  await world.sallyport("service", "remove");
  assert.match(await host.must("ls", "/etc/sallyport", "/var/lib/sallyport"), /sallyport\.yaml[\s\S]*sallyport\.db/);
  assert.notEqual(await host.must("ls", "/sys/fs/bpf"), "", "agents stay guarded");
  await world.sallyport("service", "remove", "--purge");
  await host.must("rm", "-r", "/etc/sallyport"); // the test's own policies and secret
  const left = (await inventory()).filter((line) => !untouched.includes(line));
  assert.deepEqual(left, []);
});

function agentShell() {
  const child = host.starts([SALLYPORT, "run", "--quiet", "--as", "ci", "--", "sh"]);
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> });
  return {
    /** Everything that one line says. */
    async does(line: string): Promise<string> {
      const heard: string[] = [];
      const done = new Promise<void>((resolve, reject) => {
        const hear = (text: string) => {
          if (text !== "=") return void heard.push(text);
          lines.off("line", hear);
          resolve();
        };
        lines.on("line", hear);
        child.once("exit", (code) => reject(new Error(`The agent's shell ended with ${code}`)));
      });
      child.stdin?.write(`${line}\necho =\n`);
      await done;
      return heard.join("\n");
    },
    async leave(): Promise<void> {
      const ended = once(child, "exit");
      child.stdin?.end();
      await ended;
    },
  };
}
