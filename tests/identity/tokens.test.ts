/** Tokens by a real issuer and by hand, each judged right, and none shown in what is said of it. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CompactEncrypt, exportJWK, exportSPKI } from "jose";
import {
  CLOCK_SKEW_MS_MAX,
  IDENTITY_MS_MAX,
  TOKEN_BYTES_MAX,
  TOKEN_CLAIM_MAX,
  TOKEN_GROUPS_MAX,
} from "../../src/base/limits.ts";
import { Tokens } from "../../src/identity/tokens.ts";
import type { Issuer as IssuerSettings } from "../../src/model/issuer.ts";
import { AUDIENCE, Issuer, makeKey, type SigningKey, sign } from "../kit/issuer.ts";
import { handClock, quietLog } from "../store/folder.ts";

const CANARY = "canary-7731";
const SUBJECT = `repo:acme/${CANARY}:ref:refs/heads/main`;
const folder = mkdtempSync(join(tmpdir(), "sallyport-test-"));
const issuer = new Issuer(folder);
const keys: Record<"rsa" | "ec" | "ps" | "ed" | "strange" | "impostor" | "second", SigningKey> = Object.create(null);
const clock = handClock(Date.now());
const nowS = () => Math.floor(clock.nowMs() / 1_000);

before(async () => {
  keys.rsa = await makeKey("RS256", "rsa-1");
  keys.ec = await makeKey("ES256", "ec-1");
  keys.ps = await makeKey("PS256", "ps-1");
  keys.ed = await makeKey("EdDSA", "ed-1");
  keys.strange = await makeKey("RS256", "strange-1");
  keys.impostor = await makeKey("RS256", "rsa-1");
  keys.second = await makeKey("RS256", "rsa-2");
  await issuer.start([keys.rsa, keys.second, keys.ec, keys.ps, keys.ed]);
});
after(async () => {
  await issuer.stop();
  rmSync(folder, { recursive: true, force: true });
});

function settings(more: Partial<IssuerSettings> = {}): IssuerSettings {
  return {
    ...{ name: "forge", url: issuer.url, audience: AUDIENCE, algorithms: ["RS256", "ES256", "PS256", "EdDSA"] },
    ...{ clockSkewMs: 60_000, until: "cgroup", forMs: IDENTITY_MS_MAX, groups: { claim: "groups" } },
    ...{ claims: ["repository", "ref", "run_number"], match: { repository: "acme/*" }, agents: ["ci"], ca: issuer.ca },
    ...more,
  };
}

function verifier(...issuers: readonly IssuerSettings[]): Tokens {
  const tokens = new Tokens({ clock, log: quietLog() });
  tokens.configure(issuers.length === 0 ? [settings()] : issuers);
  return tokens;
}

/** As a forge writes one for a job: five minutes, with the job's claims. */
function claims(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const at = nowS();
  return {
    ...{ iss: issuer.url, aud: AUDIENCE, sub: SUBJECT, jti: `jti-${CANARY}`, iat: at, nbf: at, exp: at + 300 },
    ...{ repository: `acme/${CANARY}`, ref: "refs/heads/main", run_number: 12, groups: ["builders"] },
    ...more,
  };
}

const encoded = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
/** Signed as it stands, whatever stands there. */
async function raw(header: string, body: string, key = keys.rsa): Promise<string> {
  const input = `${encoded(header)}.${encoded(body)}`;
  const bytes = await crypto.subtle.sign({ name: "RSASSA-PKCS1-v1_5" }, key.privateKey, Buffer.from(input));
  return `${input}.${Buffer.from(bytes).toString("base64url")}`;
}
const HEADER = '{"alg":"RS256","kid":"rsa-1","typ":"JWT"}';
const body = (more: string) => `${JSON.stringify(claims()).slice(0, -1)},${more}}`;
const hmac = (secret: string | Buffer) => {
  const input = `${encoded({ alg: "HS256", kid: "rsa-1", typ: "JWT" })}.${encoded(claims())}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
};
const without = (...names: readonly string[]) =>
  Object.fromEntries(Object.entries(claims()).filter(([name]) => !names.includes(name)));
const part = (token: string, index: number) => token.split(".")[index] ?? "";

type Make = () => string | Promise<string>;
const good: readonly (readonly [string, Make])[] = [
  ["signed with RS256", () => sign(keys.rsa, claims())],
  ["signed with ES256", () => sign(keys.ec, claims())],
  ["signed with PS256", () => sign(keys.ps, claims())],
  ["signed with EdDSA", () => sign(keys.ed, claims())],
  ["for us among others", () => sign(keys.rsa, claims({ aud: ["https://other.example", AUDIENCE] }))],
  ["that has expired within the skew", () => sign(keys.rsa, claims({ exp: nowS() - 59 }))],
  ["whose time comes within the skew", () => sign(keys.rsa, claims({ nbf: nowS() + 59, iat: nowS() + 59 }))],
  ["without typ", () => sign(keys.rsa, claims(), { typ: undefined })],
  ["of type at+jwt", () => sign(keys.rsa, claims(), { typ: "at+jwt" })],
  ["with the thumbprint of a certificate", () => sign(keys.rsa, claims(), { x5t: "abc" })],
  ["without jti, nbf and iat", () => sign(keys.rsa, without("jti", "nbf", "iat"))],
  ["whose expiry has a fraction", () => sign(keys.rsa, claims({ exp: nowS() + 300.5 }))],
  ["that is written over several lines", () => raw(HEADER, JSON.stringify(claims(), null, "\t"))],
  [
    "with lists and mappings inside",
    () => raw(HEADER, body('"a":{"b":[{},[],"",null,true,-1.5e3,{"b":1}]},"c":{"b":2}')),
  ],
  ["with escapes inside", () => raw(HEADER, body('"a":"\\/ \\ud83d\\ude00 \\u0000 \\" \\\\ \u2028 # & *x !y"'))],
  ["of the largest size", () => sign(keys.rsa, claims({ more: "x".repeat(10_000) }))],
];
for (const [name, make] of good) {
  test(`a token ${name} is taken`, async () => {
    const { issuer: by, subject, groups, claims: facts } = await verifier().identify(await make(), "ci");
    assert.deepEqual([by, subject, groups], ["forge", SUBJECT, ["builders"]]);
    assert.deepEqual({ ...facts }, { repository: `acme/${CANARY}`, ref: "refs/heads/main", run_number: "12" });
  });
}

const bad: readonly (readonly [string, Make, string])[] = [
  ["that has expired", () => sign(keys.rsa, claims({ exp: nowS() - 60 })), "TOKEN_EXPIRED"],
  ["without expiry", () => sign(keys.rsa, without("exp")), "TOKEN_CLAIMS"],
  ["whose expiry is a text", () => raw(HEADER, JSON.stringify(claims({ exp: "9999999999" }))), "TOKEN_CLAIMS"],
  ["that expires in no year", () => raw(HEADER, JSON.stringify(claims({ exp: 1e300 }))), "TOKEN_CLAIMS"],
  [
    "whose expiry overflows",
    () => raw(HEADER, JSON.stringify(without("exp")).replace("{", '{"exp":1e999,')),
    "TOKEN_CLAIMS",
  ],
  ["whose time has not come", () => sign(keys.rsa, claims({ nbf: nowS() + 61 })), "TOKEN_NOT_YET"],
  ["whose nbf is a text", () => raw(HEADER, JSON.stringify(claims({ nbf: "0" }))), "TOKEN_CLAIMS"],
  ["that was issued in the future", () => sign(keys.rsa, claims({ iat: nowS() + 62 })), "TOKEN_NOT_YET"],
  ["whose iat is a text", () => raw(HEADER, JSON.stringify(claims({ iat: "0" }))), "TOKEN_CLAIMS"],
  ["for somebody else", () => sign(keys.rsa, claims({ aud: "https://other.example" })), "TOKEN_AUDIENCE"],
  ["for nobody", () => sign(keys.rsa, without("aud")), "TOKEN_AUDIENCE"],
  ["for a part of our name", () => sign(keys.rsa, claims({ aud: `${AUDIENCE}/x` })), "TOKEN_AUDIENCE"],
  ["whose audience is a mapping", () => sign(keys.rsa, claims({ aud: { [AUDIENCE]: 1 } })), "TOKEN_AUDIENCE"],
  ["of an unknown issuer", () => sign(keys.rsa, claims({ iss: "https://evil.example" })), "TOKEN_ISSUER"],
  ["whose issuer is spelled otherwise", () => sign(keys.rsa, claims({ iss: `${issuer.url}/` })), "TOKEN_ISSUER"],
  ["of several issuers", () => sign(keys.rsa, claims({ iss: [issuer.url] })), "TOKEN_MALFORMED"],
  ["of no issuer", () => sign(keys.rsa, without("iss")), "TOKEN_MALFORMED"],
  ["by an unknown key", () => sign(keys.strange, claims()), "TOKEN_KEY"],
  ["by another key of the same name", () => sign(keys.impostor, claims()), "TOKEN_SIGNATURE"],
  ["that names no key of several", () => sign(keys.rsa, claims(), { kid: undefined }), "TOKEN_KEY"],
  ["that names the key of another algorithm", () => sign({ ...keys.rsa, kid: "ec-1" }, claims()), "TOKEN_KEY"],
  ["whose key is a path", () => sign({ ...keys.rsa, kid: "../../../../dev/null" }, claims()), "TOKEN_KEY"],
  ["whose key is SQL", () => sign({ ...keys.rsa, kid: "x' UNION SELECT 'k" }, claims()), "TOKEN_KEY"],
  ["whose key is a URL", () => sign({ ...keys.rsa, kid: "https://evil.example/jwks" }, claims()), "TOKEN_KEY"],
  ["whose key is a number", () => raw('{"alg":"RS256","kid":1}', JSON.stringify(claims())), "TOKEN_HEADER"],
  ["whose key is a name of every object", () => sign({ ...keys.rsa, kid: "__proto__" }, claims()), "TOKEN_KEY"],
  ["that is not signed (none)", () => `${encoded({ alg: "none" })}.${encoded(claims())}.`, "TOKEN_ALGORITHM"],
  ["that is not signed (nOnE)", () => `${encoded({ alg: "nOnE" })}.${encoded(claims())}.AA`, "TOKEN_ALGORITHM"],
  ["without algorithm", () => `${encoded({ kid: "rsa-1" })}.${encoded(claims())}.AA`, "TOKEN_ALGORITHM"],
  ["signed by HMAC with the public key", async () => hmac(await exportSPKI(keys.rsa.publicKey)), "TOKEN_ALGORITHM"],
  [
    "signed by HMAC with the modulus",
    async () => hmac(Buffer.from((await exportJWK(keys.rsa.publicKey)).n ?? "", "base64url")),
    "TOKEN_ALGORITHM",
  ],
  ["signed by HMAC with nothing", () => hmac(""), "TOKEN_ALGORITHM"],
  [
    "of an algorithm that the settings leave out",
    async () => sign(await makeKey("RS512", "rsa-1"), claims()),
    "TOKEN_ALGORITHM",
  ],
  ["with jku", () => sign(keys.strange, claims(), { jku: "https://evil.example/jwks" }), "TOKEN_HEADER"],
  ["with x5u", () => sign(keys.strange, claims(), { x5u: "https://evil.example/x" }), "TOKEN_HEADER"],
  ["with x5c", () => sign(keys.strange, claims(), { x5c: ["MIIB"] }), "TOKEN_HEADER"],
  [
    "with a key of its own",
    async () => sign(keys.strange, claims(), { jwk: await exportJWK(keys.strange.publicKey) }),
    "TOKEN_HEADER",
  ],
  [
    "with jku, by a key of the issuer",
    () => sign(keys.rsa, claims(), { jku: `${"https://evil.example"}/jwks` }),
    "TOKEN_HEADER",
  ],
  [
    "that demands the unknown",
    () => raw('{"alg":"RS256","kid":"rsa-1","crit":["x"],"x":1}', JSON.stringify(claims())),
    "TOKEN_HEADER",
  ],
  [
    "whose body is not encoded",
    () => raw('{"alg":"RS256","kid":"rsa-1","b64":false}', JSON.stringify(claims())),
    "TOKEN_HEADER",
  ],
  [
    "with another one inside",
    async () => raw('{"alg":"RS256","kid":"rsa-1","cty":"JWT"}', await sign(keys.rsa, claims())),
    "TOKEN_HEADER",
  ],
  ["that is another one, signed again", async () => raw(HEADER, await sign(keys.rsa, claims())), "TOKEN_MALFORMED"],
  ["that is packed", () => raw('{"alg":"RS256","kid":"rsa-1","zip":"DEF"}', JSON.stringify(claims())), "TOKEN_HEADER"],
  ["for a logout", () => sign(keys.rsa, claims(), { typ: "logout+jwt" }), "TOKEN_HEADER"],
  ["for a proof of possession", () => sign(keys.rsa, claims(), { typ: "dpop+jwt" }), "TOKEN_HEADER"],
  ["that tells of events", () => sign(keys.rsa, claims({ events: {} })), "TOKEN_CLAIMS"],
  ["that is bound to a key", () => sign(keys.rsa, claims({ cnf: { jkt: "x" } })), "TOKEN_CLAIMS"],
  [
    "that is encrypted",
    async () =>
      new CompactEncrypt(Buffer.from(JSON.stringify(claims())))
        .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
        .encrypt(new Uint8Array(32)),
    "TOKEN_ENCRYPTED",
  ],
  ["that is too large", () => sign(keys.rsa, claims({ more: "x".repeat(TOKEN_BYTES_MAX) })), "TOKEN_MALFORMED"],
  ["that names its subject twice", () => raw(HEADER, body('"sub":"repo:acme/shop"')), "TOKEN_MALFORMED"],
  ["that names it twice, once escaped", () => raw(HEADER, body('"\\u0073ub":"repo:acme/shop"')), "TOKEN_MALFORMED"],
  ["that says something twice deeper inside", () => raw(HEADER, body('"more":[{"a":1,"a":2}]')), "TOKEN_MALFORMED"],
  [
    "whose header names its algorithm twice",
    () => raw('{"alg":"none","alg":"RS256","kid":"rsa-1"}', JSON.stringify(claims())),
    "TOKEN_MALFORMED",
  ],
  ["that is deep", () => raw(HEADER, body(`"more":${"[".repeat(5_000)}${"]".repeat(5_000)}`)), "TOKEN_MALFORMED"],
  ["whose body is a list", () => raw(HEADER, "[]"), "TOKEN_MALFORMED"],
  ["whose body is null", () => raw(HEADER, "null"), "TOKEN_MALFORMED"],
  ["whose body is no JSON", () => raw(HEADER, "{sub: 1}"), "TOKEN_MALFORMED"],
  [
    "whose body is no UTF-8",
    async () =>
      (await raw(HEADER, "x")).replace(/\.[^.]+\./, `.${Buffer.from([0x7b, 0xff, 0x7d]).toString("base64url")}.`),
    "TOKEN_MALFORMED",
  ],
  [
    "whose body was changed",
    async () => {
      const token = await sign(keys.rsa, claims());
      return token.replace(part(token, 1), encoded(claims({ repository: "acme/other" })));
    },
    "TOKEN_SIGNATURE",
  ],
  ["whose signature is cut off", async () => (await sign(keys.rsa, claims())).replace(/[^.]+$/, ""), "TOKEN_MALFORMED"],
  [
    "whose signature is another token's",
    async () => {
      const [one, other] = [await sign(keys.rsa, claims()), await sign(keys.rsa, claims({ sub: "x" }))];
      return one.replace(part(one, 2), part(other, 2));
    },
    "TOKEN_SIGNATURE",
  ],
  [
    "whose ES256 signature is zero",
    async () => (await sign(keys.ec, claims())).replace(/[^.]+$/, encoded("\0".repeat(64))),
    "TOKEN_SIGNATURE",
  ],
  ["of two parts", () => `${encoded(HEADER)}.${encoded(claims())}`, "TOKEN_MALFORMED"],
  [
    "that is JSON",
    () => JSON.stringify({ payload: encoded(claims()), protected: encoded(HEADER), signature: "AA" }),
    "TOKEN_MALFORMED",
  ],
  ["with a line break inside", async () => (await sign(keys.rsa, claims())).replace(".", ".\n"), "TOKEN_MALFORMED"],
  ["that is padded", async () => (await sign(keys.rsa, claims())).replace(".", "=."), "TOKEN_MALFORMED"],
  ["without subject", () => sign(keys.rsa, without("sub")), "TOKEN_CLAIMS"],
  ["with an empty subject", () => sign(keys.rsa, claims({ sub: "" })), "TOKEN_CLAIMS"],
  ["whose subject is a mapping", () => raw(HEADER, JSON.stringify(claims({ sub: {} }))), "TOKEN_CLAIMS"],
  ["whose jti is a number", () => raw(HEADER, JSON.stringify(claims({ jti: 7 }))), "TOKEN_CLAIMS"],
  ["whose claim is long", () => sign(keys.rsa, claims({ ref: "x".repeat(TOKEN_CLAIM_MAX + 1) })), "TOKEN_CLAIMS"],
  ["whose claim steers a terminal", () => sign(keys.rsa, claims({ ref: "x\u001b[2J" })), "TOKEN_CLAIMS"],
  [
    "of too many groups",
    () => sign(keys.rsa, claims({ groups: Array.from({ length: TOKEN_GROUPS_MAX + 1 }, (_, n) => `g${n}`) })),
    "TOKEN_CLAIMS",
  ],
  ["of another repository", () => sign(keys.rsa, claims({ repository: "evil/shop" })), "TOKEN_MATCH"],
  [
    "of a repository below one that fits",
    () => sign(keys.rsa, claims({ repository: "acme/shop/evil" })),
    "TOKEN_MATCH",
  ],
  ["without the claim that has to fit", () => sign(keys.rsa, without("repository")), "TOKEN_MATCH"],
  ["whose claim that has to fit is a list", () => sign(keys.rsa, claims({ repository: ["acme/shop"] })), "TOKEN_MATCH"],
];
test("the tables have the thirty tokens and more that were promised", () => {
  assert.ok(good.length >= 10 && bad.length >= 30);
});
for (const [name, make, code] of bad) {
  test(`a token ${name} is refused with ${code}`, async () => {
    const token = await make();
    await assert.rejects(verifier().identify(token, "ci"), (error: Error & { code?: string; remedy?: string }) => {
      assert.equal(error.code, code, error.message);
      const said = JSON.stringify([error.message, error.remedy, error.stack, error.cause ?? ""]);
      assert.ok((error.remedy ?? "").length > 10);
      for (const secret of [CANARY, ...token.split(".").filter((one) => one.length > 20)]) {
        assert.ok(!said.includes(secret), `shown: ${said}`);
      }
      return true;
    });
  });
}

test("a token that the issuer gave itself is taken, and says who the job is", async () => {
  const tokens = verifier(settings({ match: { client_id: "job-*" }, claims: ["client_id", "scope"] }));
  const now = clock.nowMs();
  const { subject, claims: facts } = await tokens.identify(await issuer.give(), "ci");
  assert.deepEqual([subject, { ...facts }, clock.nowMs()], ["job-7", { client_id: "job-7", scope: "run" }, now]);
});

test("a token is refused for an agent that its issuer may not make", async () => {
  await assert.rejects(verifier().identify(await sign(keys.rsa, claims()), "admin"), { code: "TOKEN_AGENT" });
});

test("of two entries of one issuer the one that fits counts", async () => {
  const other = settings({ name: "shop", match: { repository: "shop/*" }, claims: ["ref"] });
  const { issuer: by } = await verifier(other, settings()).identify(await sign(keys.rsa, claims()), "ci");
  assert.equal(by, "forge");
});

test("groups of a mapping count under their names there, and others not at all", async () => {
  const names = { builders: ["ci", "dev"], "odd name": ["odd"], evil: [] };
  const tokens = verifier(settings({ groups: { claim: "groups", names } }));
  const token = await sign(keys.rsa, claims({ groups: ["builders", "admin", "odd name", "toString", 7] }));
  assert.deepEqual((await tokens.identify(token, "ci")).groups, ["ci", "dev", "odd"]);
});

test("a group that no rule could name is left out", async () => {
  const token = await sign(keys.rsa, claims({ groups: ["builders", "a b", "x".repeat(64), "builders"] }));
  assert.deepEqual((await verifier().identify(token, "ci")).groups, ["builders"]);
});

test("an identity lasts as long as its issuer's settings say, whatever is left of its token", async () => {
  const { endsMs, tokenEndsMs } = await verifier(settings({ forMs: 1_800_000 })).identify(
    await sign(keys.rsa, claims()),
    "ci",
  );
  assert.deepEqual([endsMs, tokenEndsMs], [clock.nowMs() + 1_800_000, (nowS() + 300) * 1_000 + CLOCK_SKEW_MS_MAX]);
});

test("with `until: token` it ends with its token, and one that has expired within the skew is not taken", async () => {
  const tokens = verifier(settings({ until: "token" }));
  const { endsMs } = await tokens.identify(await sign(keys.rsa, claims()), "ci");
  assert.equal(endsMs, (nowS() + 300) * 1_000);
  await assert.rejects(tokens.identify(await sign(keys.rsa, claims({ exp: nowS() - 5 })), "ci"), {
    code: "TOKEN_EXPIRED",
  });
});

test("a token is the same one however its signature is written, and all with one jti are", async () => {
  const tokens = verifier();
  const idOf = async (token: string) => (await tokens.identify(token, "ci")).token;
  const bare = await sign(keys.ec, without("jti"));
  const turned = bare.replace(/[^.]+$/, (signature) => malleable(signature));
  assert.notEqual(bare, turned);
  assert.equal(await idOf(turned), await idOf(bare));
  const first = await idOf(await sign(keys.rsa, claims()));
  assert.equal(await idOf(await sign(keys.ec, claims({ exp: nowS() + 200 }))), first);
  assert.notEqual(await idOf(await sign(keys.rsa, claims({ jti: "another" }))), first);
});

/** The other signature that ECDSA takes for the same text: (r, n - s). */
function malleable(signature: string): string {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const bytes = Buffer.from(signature, "base64url");
  const s = BigInt(`0x${bytes.subarray(32).toString("hex")}`);
  const other = Buffer.from((n - s).toString(16).padStart(64, "0"), "hex");
  return Buffer.concat([bytes.subarray(0, 32), other]).toString("base64url");
}
