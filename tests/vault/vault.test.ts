import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { SECRET_BYTES_MAX } from "../../src/base/limits.ts";
import type { SecretStore } from "../../src/store/secrets.ts";
import { openStore } from "../../src/store/store.ts";
import type { CredentialReference } from "../../src/vault/references.ts";
import { createVault, type Vault } from "../../src/vault/vault.ts";
import { folder, handClock, quietLog } from "../store/folder.ts";

interface Given {
  readonly vault: Vault;
  readonly secrets: SecretStore;
  readonly stateDir: string;
  readonly reopen: () => Promise<Vault>;
  readonly references: Map<string, CredentialReference>;
  readonly environment: Map<string, string>;
}

async function given(t: TestContext): Promise<Given> {
  const stateDir = join(folder(t), "state");
  const store = await openStore(stateDir, quietLog());
  t.after(() => store.close());
  const references = new Map<string, CredentialReference>();
  const environment = new Map<string, string>();
  const reopen = () =>
    createVault({
      stateDir,
      secrets: store.secrets,
      references: () => references,
      environment: (name) => environment.get(name),
      clock: handClock(1_000),
    });
  return { vault: await reopen(), secrets: store.secrets, stateDir, reopen, references, environment };
}

const password = async (vault: Vault, name: string) => {
  const credential = await vault.credential(name);
  const text = Buffer.from(credential.password ?? []).toString();
  credential.wipe();
  return text;
};

const entry = (name: string, secret: string) => ({
  name,
  user: "app",
  settings: '{"protocol":"postgres"}',
  secret: Buffer.from(secret),
});

test("a sealed secret comes back, also after a restart, and an entry shows no secret", async (t) => {
  const { vault, reopen } = await given(t);
  await vault.add(entry("orders", "s3cret-pässword"));
  assert.equal(await password(vault, "orders"), "s3cret-pässword");
  assert.equal(await password(await reopen(), "orders"), "s3cret-pässword");
  assert.deepEqual(await vault.list(), [
    {
      name: "orders",
      user: "app",
      settings: '{"protocol":"postgres"}',
      version: 1,
      createdMs: 1_000,
      rotatedMs: undefined,
    },
  ]);
});

test("wiping zeroes the bytes that the login was given", async (t) => {
  const { vault } = await given(t);
  await vault.add(entry("orders", "s3cret"));
  const credential = await vault.credential("orders");
  assert.deepEqual(Buffer.from(credential.password ?? []), Buffer.from("s3cret"));
  credential.wipe();
  assert.deepEqual(Buffer.from(credential.password ?? []), Buffer.alloc(6));
});

test("no file of the state folder holds a sealed secret in any of its usual forms", async (t) => {
  const { vault, stateDir } = await given(t);
  const canaries = ["canary-one-7f3a9c", "canary-two-51be02"];
  await vault.add(entry("orders", canaries[0] ?? ""));
  await vault.rotate("orders", Buffer.from(canaries[1] ?? ""));
  const files = readdirSync(stateDir);
  assert.ok(files.length >= 3, files.join());
  let plainSeen = false;
  for (const file of files) {
    const bytes = readFileSync(join(stateDir, file));
    for (const canary of canaries) {
      for (const form of ["utf8", "hex", "base64"] as const) {
        assert.equal(bytes.includes(Buffer.from(canary).toString(form)), false, `${file} holds it as ${form}`);
      }
    }
    plainSeen ||= bytes.includes("protocol");
  }
  assert.ok(plainSeen, "the search must find what is stored in the clear");
});

test("rotation counts up, changes nonce and bytes, and the next login gets the new secret", async (t) => {
  const { vault, secrets } = await given(t);
  await vault.add(entry("orders", "same"));
  const before = await secrets.get("orders");
  await vault.rotate("orders", Buffer.from("same"));
  const after = await secrets.get("orders");
  assert.equal(after?.version, 2);
  assert.equal(after?.rotatedMs, 1_000);
  assert.notDeepEqual(after?.nonce, before?.nonce);
  assert.notDeepEqual(after?.sealed, before?.sealed);
  await vault.rotate("orders", Buffer.from("other"));
  assert.equal(await password(vault, "orders"), "other");
});

test("of two rotations at once one is told that it came too late", async (t) => {
  const { vault } = await given(t);
  await vault.add(entry("orders", "old"));
  const outcomes = await Promise.allSettled([
    vault.rotate("orders", Buffer.from("a")),
    vault.rotate("orders", Buffer.from("b")),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  const rejected = outcomes.find(({ status }) => status === "rejected");
  assert.equal(rejected?.status === "rejected" && rejected.reason.code, "VAULT_CHANGED");
});

const tampers: readonly { name: string; change: (secrets: SecretStore) => Promise<void> }[] = [
  {
    name: "a flipped bit",
    async change(secrets) {
      const row = await secrets.get("orders");
      assert.ok(row);
      const sealed = Buffer.from(row.sealed);
      sealed[0] = (sealed[0] ?? 0) ^ 1;
      await secrets.replace({ ...row, sealed }, row.version);
    },
  },
  {
    name: "the seal of another connection",
    async change(secrets) {
      const row = await secrets.get("orders");
      const other = await secrets.get("other");
      assert.ok(row && other);
      await secrets.replace({ ...row, sealed: other.sealed, nonce: other.nonce }, row.version);
    },
  },
  {
    name: "an older version",
    async change(secrets) {
      const row = await secrets.get("orders");
      assert.ok(row);
      await secrets.replace({ ...row, version: row.version + 1 }, row.version);
    },
  },
  {
    name: "other settings",
    async change(secrets) {
      const row = await secrets.get("orders");
      assert.ok(row);
      await secrets.replace({ ...row, settings: JSON.stringify({ user: "root", settings: "{}" }) }, row.version);
    },
  },
  {
    name: "a seal that is too short",
    async change(secrets) {
      const row = await secrets.get("orders");
      assert.ok(row);
      await secrets.replace({ ...row, sealed: Buffer.alloc(3) }, row.version);
    },
  },
];
for (const { name, change } of tampers) {
  test(`a sealed secret is not handed out after ${name} was put in its place`, async (t) => {
    const { vault, secrets } = await given(t);
    await vault.add(entry("orders", "s3cret"));
    await vault.add(entry("other", "0ther"));
    await change(secrets);
    await assert.rejects(vault.credential("orders"), { name: "UserError", code: "VAULT_SEAL_BROKEN" });
    assert.equal(await password(vault, "other"), "0ther");
  });
}

test("a name is taken by the settings or by an earlier connection", async (t) => {
  const { vault, references } = await given(t);
  await vault.add(entry("orders", "a"));
  references.set("billing", { user: "u" });
  await assert.rejects(vault.add(entry("orders", "b")), { code: "VAULT_NAME_TAKEN" });
  await assert.rejects(vault.add(entry("billing", "b")), { code: "VAULT_NAME_TAKEN" });
  assert.equal(await password(vault, "orders"), "a");
});

test("a removed connection has no credential any more", async (t) => {
  const { vault, references } = await given(t);
  await vault.add(entry("orders", "a"));
  await vault.remove("orders");
  references.set("billing", { user: "u" });
  await assert.rejects(vault.credential("orders"), { code: "VAULT_UNKNOWN" });
  await assert.rejects(vault.remove("orders"), { code: "VAULT_UNKNOWN" });
  await assert.rejects(vault.rotate("orders", Buffer.from("x")), { code: "VAULT_UNKNOWN" });
  await assert.rejects(vault.remove("billing"), { code: "VAULT_REMOVE_REFERENCE" });
});

test("a secret of no length or of too much is refused", async (t) => {
  const { vault } = await given(t);
  await assert.rejects(vault.add(entry("orders", "")), { code: "VAULT_SECRET_SIZE" });
  await assert.rejects(vault.add(entry("orders", "x".repeat(SECRET_BYTES_MAX + 1))), { code: "VAULT_SECRET_SIZE" });
});

test("a reference is read anew at each login", async (t) => {
  const { vault, references, stateDir, environment } = await given(t);
  const file = join(stateDir, "orders.secret");
  writeFileSync(file, "first\n", { mode: 0o600 });
  references.set("orders", { user: "app", password: { file } });
  assert.equal(await password(vault, "orders"), "first");
  writeFileSync(file, "second");
  assert.equal(await password(vault, "orders"), "second");

  environment.set("ORDERS_PASSWORD", "from the environment");
  references.set("orders", { user: "app", password: { env: "ORDERS_PASSWORD" } });
  assert.equal(await password(vault, "orders"), "from the environment");

  environment.set("CREDENTIALS_DIRECTORY", stateDir);
  references.set("orders", { user: "app", password: { systemd: "orders.secret" } });
  assert.equal(await password(vault, "orders"), "second");

  references.set("orders", { user: "nobody" });
  assert.equal((await vault.credential("orders")).password, undefined);
});

const endings = [
  { name: "one line end", written: "pw\n", secret: "pw" },
  { name: "one line end of Windows", written: "pw\r\n", secret: "pw" },
  { name: "only the last of two line ends", written: "pw\n\n", secret: "pw\n" },
  { name: "no blanks", written: " pw ", secret: " pw " },
  { name: "no lone carriage return", written: "pw\r", secret: "pw\r" },
] as const;
for (const { name, written, secret } of endings) {
  test(`${name} is cut from the end of a secret's file`, async (t) => {
    const { vault, references, stateDir } = await given(t);
    const file = join(stateDir, "secret");
    writeFileSync(file, written, { mode: 0o600 });
    references.set("orders", { user: "app", password: { file } });
    assert.equal(await password(vault, "orders"), secret);
  });
}

const unreadable: readonly { name: string; code: string; make: (file: string) => void }[] = [
  { name: "that is not there", code: "VAULT_SECRET_UNREADABLE", make: () => undefined },
  { name: "that is a folder", code: "VAULT_SECRET_UNREADABLE", make: (file) => mkdirSync(file, { mode: 0o700 }) },
  {
    name: "that is a pipe",
    code: "VAULT_SECRET_UNREADABLE",
    make: (file) => execFileSync("mkfifo", ["-m", "600", file]),
  },
  { name: "that is empty", code: "VAULT_SECRET_UNREADABLE", make: (file) => writeFileSync(file, "", { mode: 0o600 }) },
  {
    name: "that is one line end",
    code: "VAULT_SECRET_UNREADABLE",
    make: (file) => writeFileSync(file, "\n", { mode: 0o600 }),
  },
  {
    name: "that is too long",
    code: "VAULT_SECRET_UNREADABLE",
    make: (file) => writeFileSync(file, "x".repeat(SECRET_BYTES_MAX + 1), { mode: 0o600 }),
  },
  {
    name: "that everybody can read",
    code: "VAULT_SECRET_MODE",
    make(file) {
      writeFileSync(file, "s3cret");
      chmodSync(file, 0o644);
    },
  },
  {
    name: "that everybody can change",
    code: "VAULT_SECRET_MODE",
    make(file) {
      writeFileSync(file, "s3cret");
      chmodSync(file, 0o602);
    },
  },
];
for (const { name, code, make } of unreadable) {
  test(`a secret's file ${name} is refused with its path and a remedy, never with its content`, async (t) => {
    const { vault, references, stateDir } = await given(t);
    const file = join(stateDir, "secret");
    make(file);
    references.set("orders", { user: "app", password: { file } });
    await assert.rejects(vault.credential("orders"), (error: Error & { code: string; remedy: string }) => {
      assert.equal(error.code, code);
      assert.ok(error.message.includes(file), error.message);
      assert.ok(error.remedy.length > 0);
      assert.ok(!`${error.message} ${error.remedy}`.includes("s3cret"));
      return true;
    });
  });
}

const badReferences = [
  { name: "an environment variable that is not set", password: { env: "NOT_SET" } },
  { name: "a systemd credential without a folder of credentials", password: { systemd: "orders" } },
] as const;
for (const { name, password: reference } of badReferences) {
  test(`${name} is refused`, async (t) => {
    const { vault, references } = await given(t);
    references.set("orders", { user: "app", password: reference });
    await assert.rejects(vault.credential("orders"), { code: "VAULT_SECRET_UNREADABLE" });
  });
}

test("a systemd credential cannot be a path out of its folder", async (t) => {
  const { vault, references, stateDir, environment } = await given(t);
  writeFileSync(join(stateDir, "secret"), "x", { mode: 0o600 });
  mkdirSync(join(stateDir, "credentials"), { mode: 0o700 });
  environment.set("CREDENTIALS_DIRECTORY", join(stateDir, "credentials"));
  references.set("orders", { user: "app", password: { systemd: "../secret" } });
  await assert.rejects(vault.credential("orders"), { code: "VAULT_SECRET_UNREADABLE" });
});

test("to rotate a reference is an error that names the place to change", async (t) => {
  const { vault, references } = await given(t);
  references.set("orders", { user: "app", password: { file: "/etc/sallyport/secrets/orders" } });
  await assert.rejects(vault.rotate("orders", Buffer.from("x")), (error: Error & { code: string; remedy: string }) => {
    assert.equal(error.code, "VAULT_ROTATE_REFERENCE");
    assert.match(error.remedy, /\/etc\/sallyport\/secrets\/orders/);
    return true;
  });
});

test("the key is made once, for the owner alone, and no half-made file is left", async (t) => {
  const { stateDir, vault, reopen } = await given(t);
  const key = join(stateDir, "vault.key");
  assert.equal(statSync(key).mode & 0o777, 0o600);
  assert.equal(statSync(key).size, 32);
  const bytes = readFileSync(key);
  assert.deepEqual((await reopen()).derivedKey("mask"), vault.derivedKey("mask"));
  assert.deepEqual(readFileSync(key), bytes);
  assert.deepEqual(
    readdirSync(stateDir).filter((name) => name.startsWith("vault.key")),
    ["vault.key"],
  );
});

test("keys derived for two purposes differ from each other and from the key", async (t) => {
  const { stateDir, vault } = await given(t);
  const [mask, other] = [vault.derivedKey("mask"), vault.derivedKey("checkpoint")];
  assert.equal(mask.length, 32);
  assert.notDeepEqual(mask, other);
  assert.notDeepEqual(mask, readFileSync(join(stateDir, "vault.key")));
});

const badKeys: readonly { name: string; code: string; spoil: (key: string) => void }[] = [
  { name: "readable for the group", code: "VAULT_KEY_REFUSED", spoil: (key) => chmodSync(key, 0o640) },
  { name: "cut short", code: "VAULT_KEY_REFUSED", spoil: (key) => writeFileSync(key, Buffer.alloc(31)) },
  { name: "too long", code: "VAULT_KEY_REFUSED", spoil: (key) => writeFileSync(key, Buffer.alloc(33)) },
  { name: "missing while secrets are sealed with it", code: "VAULT_KEY_MISSING", spoil: (key) => rmSync(key) },
  {
    name: "a symbolic link",
    code: "VAULT_KEY_REFUSED",
    spoil(key) {
      renameSync(key, `${key}.moved`);
      symlinkSync(`${key}.moved`, key);
    },
  },
];
for (const { name, code, spoil } of badKeys) {
  test(`a key file that is ${name} is refused`, async (t) => {
    const { vault, stateDir, reopen } = await given(t);
    await vault.add(entry("orders", "s3cret"));
    spoil(join(stateDir, "vault.key"));
    await assert.rejects(reopen(), { name: "UserError", code });
  });
}

test("with another key nothing is unsealed", async (t) => {
  const { vault, stateDir, reopen } = await given(t);
  await vault.add(entry("orders", "s3cret"));
  writeFileSync(join(stateDir, "vault.key"), Buffer.alloc(32, 7));
  await assert.rejects((await reopen()).credential("orders"), { code: "VAULT_SEAL_BROKEN" });
});
