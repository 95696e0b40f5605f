/** The service's files before systemd sees them, and the command where there is no systemd. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { readSettings } from "../../src/config.ts";
import { sampleSettings, unitFiles } from "../../src/control/service/units.ts";
import { capture, SALLYPORT } from "../kit/daemon.ts";

test("the units name the installation that installs them, wherever it lies", () => {
  for (const { path, content, mode } of unitFiles("/srv/guard-1.0/sallyport")) {
    assert.match(path, /^\/etc\/systemd\/system\/sallyport\.(service|socket)$/);
    assert.equal(content.includes("/opt/sallyport"), false);
    assert.equal(mode, 0o644);
  }
  const [, service] = unitFiles("/srv/guard-1.0/sallyport");
  assert.match(String(service?.content), /^ExecStart=\/srv\/guard-1\.0\/sallyport\/bin\/sallyport up$/m);
});

for (const home of ["/srv/with space", "/srv/100%", "relative", '/srv/"quoted"', "/srv/$HOME"]) {
  test(`an installation at ${home} is refused: a unit would mean something else by it`, () => {
    assert.throws(() => unitFiles(home), { code: "SERVICE_PATH" });
  });
}

test("the settings to begin with can be read as they are, and register nothing", () => {
  const settings = readSettings(String(sampleSettings().content), "sallyport.yaml");
  assert.deepEqual([settings.agents.map(({ name }) => name), settings.connections], [["ci"], []]);
});

for (const action of ["install", "remove", "status"]) {
  test(`service ${action} says so where systemd does not run the host`, async (t) => {
    if (existsSync("/run/systemd/system")) return t.skip("systemd runs this host");
    const { code, stderr } = await capture(SALLYPORT, ["--json", "service", action]);
    assert.equal(code, 1);
    assert.equal((JSON.parse(stderr) as { error: { code: string } }).error.code, "SERVICE_MANAGER_MISSING");
  });
}
