/** What docs/notify.md tells people to run, run as it stands there. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parse } from "yaml";
import { readSettings } from "../../src/config.ts";
import { keyOf, verify } from "../../src/notify/kinds.ts";
import { webhookHeaders } from "../../src/notify/webhook.ts";
import { capture } from "../kit/daemon.ts";
import { folder } from "../store/folder.ts";
import { DIGEST, HOLD, SECRETS, target } from "./kit.ts";

const MANUAL = readFileSync(new URL("../../docs/notify.md", import.meta.url), "utf8");
const blocks = (language: string) =>
  [...MANUAL.matchAll(/```(\w+)\n([\s\S]*?)```/g)].flatMap(([, of, text = ""]) => (of === language ? [text] : []));
const [make = "", verifying = "", answering = ""] = blocks("sh");
const KEY = keyOf({ kind: "webhook" }, Buffer.from(SECRETS["webhook"] ?? ""));

function bash(t: TestContext, script: string, env: Readonly<Record<string, string>>, body: string) {
  const dir = folder(t);
  writeFileSync(join(dir, "secret"), SECRETS["webhook"] ?? "");
  writeFileSync(join(dir, "body"), body);
  return capture("bash", ["-euc", `cd ${dir}\n${script}`], { env: { ...process.env, ...env } });
}

test("the manual's lines tell a message of ours from a forged and an old one", async (t) => {
  const body = '{"type":"notice.test"}\n';
  const sent = (nowMs: number) => {
    const headers = webhookHeaders("msg_1", KEY, nowMs, Buffer.from(body));
    return { id: "msg_1", time: headers["webhook-timestamp"] ?? "", signature: headers["webhook-signature"] ?? "" };
  };
  assert.equal((await bash(t, verifying, sent(Date.now()), body)).stdout, "good\n");
  assert.equal((await bash(t, verifying, sent(Date.now()), `${body} `)).stdout, "forged\n");
  assert.equal((await bash(t, verifying, sent(Date.now() - 400_000), body)).stdout, "forged\n");
});

test("the manual's lines sign an answer that counts", async (t) => {
  const [key = ""] = verifying.split("\n");
  const script = `${key}\ncurl() { printf '%s\\0' "$@"; }\n${answering}`;
  const { stdout } = await bash(t, script, { hold: HOLD, digest: DIGEST }, "");
  const args = stdout.split("\0");
  const named = args.filter((one) => one.startsWith("webhook-")).map((one) => one.split(": "));
  const headers = Object.fromEntries(named.map(([name = "", value = ""]) => [name, [value]]));
  const body = Buffer.from(args[args.indexOf("--data-binary") + 1] ?? "");
  const said = verify(target({ kind: "webhook" }), { headers, body }, KEY, Date.now()).read();
  assert.deepEqual(said, { account: "webhook:ops/anna", hold: HOLD, digest: DIGEST, answer: "approve" });
});

test("the manual's line makes a secret that is one", async (t) => {
  const { stdout } = await bash(t, make.replace(/ > [^)]+/, ""), {}, "");
  assert.equal(keyOf({ kind: "webhook" }, Buffer.from(stdout)).length, 32);
});

test("the manual's settings are settings", () => {
  const [yaml = ""] = blocks("yaml");
  assert.deepEqual(
    readSettings(yaml, "/etc/sallyport/sallyport.yaml").notify.targets.map(({ name }) => name),
    ["ops", "hook"],
  );
  assert.ok(parse(yaml).notify);
});
