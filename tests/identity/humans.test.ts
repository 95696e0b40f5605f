/** Humans who have signed in: how long that lasts, what ends it, and what they may make of it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { BREAK_GLASS_EACH_MAX, HUMAN_SEEN_MS, HUMAN_SESSIONS_EACH_MAX } from "../../src/base/limits.ts";
import type { HumanConfiguration } from "../../src/identity/humans/humans.ts";
import type { OidcLogin } from "../../src/model/human.ts";
import { HumanIssuer } from "../kit/human-issuer.ts";
import { ASKING, humansAt, loginAt, ROLES, SUDO } from "./human-world.ts";

const dir = mkdtempSync(join(tmpdir(), "sallyport-test-"));
const people: Record<string, Readonly<Record<string, unknown>>> = {
  ada: { name: "Ada Lovelace", groups: ["sre", "oncall"] },
  ben: { name: "Ben", groups: ["audit"] },
};
const BEFORE = { ...people };
const issuer = new HumanIssuer(dir, { people });
before(() => issuer.start());
after(async () => {
  await issuer.stop();
  rmSync(dir, { recursive: true, force: true });
});
const login = (changes: Partial<OidcLogin> = {}) => loginAt(issuer, changes);
const world = (t: TestContext, changes: Partial<HumanConfiguration> = {}) => humansAt(issuer, t, changes);

test("a session that another user shows is nobody's, and is not kept alive by it", async (t) => {
  const { humans, signIn, clock } = await world(t, { logins: [login({ scopes: ["openid", "profile"] })] });
  const { secret } = await signIn("ada");
  clock.advance(899_999);
  for (const uid of [0, ASKING.uid + 1, undefined]) assert.equal(await humans.authenticate(secret, uid), undefined);
  clock.advance(1);
  await assert.rejects(humans.authenticate(secret, ASKING.uid), { code: "HUMAN_SESSION_OVER" });
});

test("a session ends when it was not used, and after its time whatever is done with it", async (t) => {
  const { humans, signIn, clock, kinds } = await world(t, { logins: [login({ scopes: ["openid", "profile"] })] });
  const idle = await signIn("ada");
  clock.advance(899_999);
  assert.ok(await humans.authenticate(idle.secret, ASKING.uid));
  clock.advance(900_000);
  await assert.rejects(humans.authenticate(idle.secret, ASKING.uid), { code: "HUMAN_SESSION_OVER", exitCode: 4 });
  assert.equal(await humans.authenticate(idle.secret, ASKING.uid), undefined, "it is forgotten");
  const busy = await signIn("ada");
  for (let minutes = 0; minutes < 12 * 60; minutes += 12) {
    assert.ok(await humans.authenticate(busy.secret, ASKING.uid), `after ${minutes} minutes`);
    clock.advance(720_000);
  }
  await assert.rejects(humans.authenticate(busy.secret, ASKING.uid), { code: "HUMAN_SESSION_OVER" });
  assert.equal(kinds().filter((kind) => kind === "human.logout").length, 2);
});

test("its issuer's refresh token keeps a session going, and brings the groups of now", async (t) => {
  const { humans, signIn, clock } = await world(t);
  const { secret } = await signIn("ada");
  t.after(() => {
    people["ada"] = { name: "Ada Lovelace", groups: ["sre", "oncall"] };
  });
  people["ada"] = { name: "Ada Lovelace", groups: ["audit"] };
  clock.advance(800_000);
  assert.deepEqual([...((await humans.authenticate(secret, ASKING.uid))?.roles ?? [])], ["reviewer", "break-glass"]);
  clock.advance(200_000);
  assert.deepEqual([...((await humans.authenticate(secret, ASKING.uid))?.roles ?? [])], ["auditor"]);
  people["ada"] = { name: "Ada Lovelace", groups: [] };
  for (const _ of [1, 2]) {
    clock.advance(800_000);
    await humans
      .authenticate(secret, ASKING.uid)
      .catch((error: { code: string }) => assert.equal(error.code, "HUMAN_SESSION_OVER"));
  }
  assert.deepEqual(humans.sessions(), []);
});

test("a refresh that the issuer refuses ends the session; one that it does not answer does so after an hour", async (t) => {
  const { humans, signIn, clock, begin } = await world(t);
  const { secret } = await signIn("ada");
  await issuer.stop();
  t.after(() => issuer.start().catch(() => {}));
  for (let minutes = 0; minutes < 60; minutes += 14) {
    assert.ok(await humans.authenticate(secret, ASKING.uid), `after ${minutes} minutes`);
    clock.advance(14 * 60_000);
  }
  await assert.rejects(humans.authenticate(secret, ASKING.uid), { code: "LOGIN_UNREACHABLE" });
  await issuer.start(); // it has forgotten everything that it gave
  clock.advance(60_000);
  const next = await begin();
  await assert.rejects(next.authenticate(secret, ASKING.uid), { code: "HUMAN_SESSION_OVER" });
});

test("sessions are as they were for the next daemon, and end with their login in the settings", async (t) => {
  const { signIn, begin } = await world(t);
  const { secret } = await signIn("ada");
  const next = await begin();
  assert.equal((await next.authenticate(secret, ASKING.uid))?.human.name, "Ada Lovelace");
  next.configure({ logins: [], people: [], roles: ROLES });
  await assert.rejects(next.authenticate(secret, ASKING.uid), { code: "HUMAN_SESSION_OVER" });
});

test("a session is revoked by name, by account and by its id, and tokens go with their human", async (t) => {
  const { humans, signIn } = await world(t);
  for (const how of ["Ada Lovelace", "corp:ada"]) {
    const { secret } = await signIn("ada");
    const { secret: token } = await humans.makeToken(
      { name: "a", roles: ["reviewer"], forMs: 1_000 },
      await humans.authenticate(secret, ASKING.uid),
      {},
    );
    const { secret: other } = await signIn("ben");
    await humans.revoke(how, {});
    assert.deepEqual(
      [await humans.authenticate(secret, ASKING.uid), await humans.authenticate(token, ASKING.uid)],
      [undefined, undefined],
    );
    assert.ok(await humans.authenticate(other, ASKING.uid), "somebody else's goes on");
  }
  const { secret, session } = await signIn("ada");
  const made = { name: "a", roles: ["reviewer"], forMs: 1_000 } as const;
  const { secret: token } = await humans.makeToken(made, await humans.authenticate(secret, ASKING.uid), {});
  await humans.revoke(session.id, {});
  assert.equal(await humans.authenticate(secret, ASKING.uid), undefined);
  assert.ok(await humans.authenticate(token, ASKING.uid), "that session alone was meant");
  await humans.revoke("Ada Lovelace", {});
  await assert.rejects(humans.revoke("Nobody", {}), { code: "HUMAN_UNKNOWN" });
});

test("whoever is revoked has approved nothing, also where no session and no token of theirs is left", async (t) => {
  const { humans, signIn, withdrawn } = await world(t);
  await signIn("ada", humans, undefined, { uid: 2009, pid: 7 });
  const theirs = ["corp:ada: whoever gave it was revoked"];
  for (const sessions of [1, 0]) {
    assert.deepEqual(await humans.revoke("Ada Lovelace", {}), { sessions, tokens: 0, delegations: 0, approvals: 1 });
    assert.deepEqual(withdrawn.splice(0), theirs);
  }
  assert.deepEqual(await humans.revoke("unix:2001", {}), { sessions: 0, tokens: 0, delegations: 0, approvals: 1 });
  assert.deepEqual(withdrawn.splice(0), ["unix:2001: whoever gave it was revoked"]);
});

test("what a session or an API token approved goes with it alone, whoever its human is", async (t) => {
  const { humans, signIn, votes, withdrawn } = await world(t);
  const { secret, session } = await signIn("ada", humans, undefined, { uid: 2009, pid: 7 });
  const made = { name: "a", roles: ["reviewer"], forMs: 1_000 } as const;
  const { token } = await humans.makeToken(made, await humans.authenticate(secret, 2009), {});
  votes.splice(
    0,
    3,
    { accounts: ["a"], by: token.id },
    { accounts: ["b"], by: session.id },
    { accounts: ["corp:ada"] },
  );
  await humans.revokeToken(token.id, {});
  await humans.revoke(session.id, {});
  assert.deepEqual(withdrawn, ["a: the API token that gave it was revoked", "b: whoever gave it was revoked"]);
});

test("a session that ends by itself, or by its human, takes back no approval; one whose roles are gone does", async (t) => {
  const { humans, signIn, clock, withdrawn } = await world(t);
  const { session } = await signIn("ada", humans, undefined, { uid: 2009, pid: 7 });
  await humans.logOut(session.id, {});
  await signIn("ada", humans, undefined, { uid: 2009, pid: 7 });
  clock.advance(1_000_000);
  await humans.sweep();
  assert.deepEqual([humans.sessions(), withdrawn], [[], []]);
  const { secret } = await signIn("ada", humans, undefined, { uid: 2009, pid: 7 });
  humans.configure({ logins: [loginAt(issuer)], people: [], roles: {} });
  await assert.rejects(humans.authenticate(secret, 2009), { code: "HUMAN_SESSION_OVER" });
  assert.deepEqual(withdrawn, ["corp:ada: their groups give no role any more"]);
});

test("whoever is revoked by one of their accounts has no session by another one", async (t) => {
  const { humans, signIn } = await world(t, {
    people: [{ name: "ada", accounts: ["corp:ada", "corp:ben"], groups: [] }],
  });
  for (const who of ["corp:ada", "Ada Lovelace", "ada"]) {
    await signIn("ada");
    const { secret } = await signIn("ben");
    await humans.revoke(who, {});
    assert.equal(await humans.authenticate(secret, ASKING.uid), undefined, who);
  }
});

test("an API token has never more roles than its human, and lives no longer than 90 days", async (t) => {
  const { humans, signIn, clock } = await world(t);
  const { secret } = await signIn("ada");
  const ada = (await humans.authenticate(secret, ASKING.uid)) ?? assert.fail();
  const make = (roles: readonly ("reviewer" | "admin" | "break-glass")[], forMs = 86_400_000) =>
    humans.makeToken({ name: "nightly", roles, forMs }, ada, {});
  await assert.rejects(make(["reviewer", "admin"]), { code: "API_TOKEN_ROLES" });
  await assert.rejects(make(["break-glass"]), { code: "API_TOKEN_ROLES" });
  await assert.rejects(make(["reviewer"], 91 * 86_400_000), { code: "API_TOKEN_END" });
  const { secret: token } = await make(["reviewer"]);
  const acting = (await humans.authenticate(token, ASKING.uid)) ?? assert.fail();
  assert.deepEqual([[...acting.roles], acting.by.kind], [["reviewer"], "token"]);
  await assert.rejects(humans.makeToken({ name: "b", roles: ["reviewer"], forMs: 1 }, acting, {}), {
    code: "API_TOKEN_SESSION",
  });
  await assert.rejects(humans.breakGlass("because", acting, {}), { code: "BREAK_GLASS_SESSION" });
  humans.configure({ logins: [login()], people: [], roles: { auditor: ["corp:sre"] } });
  assert.deepEqual(
    [...((await humans.authenticate(token, ASKING.uid))?.roles ?? ["?"])],
    [],
    "the role is not theirs any more",
  );
  humans.configure({ logins: [login()], people: [], roles: ROLES });
  clock.advance(86_400_000);
  assert.equal(await humans.authenticate(token, ASKING.uid), undefined);
});

test("who is refused for want of a role when they sign in has lost it in their API tokens too", async (t) => {
  const { humans, signIn } = await world(t);
  const ada = (await humans.authenticate((await signIn("ada")).secret, ASKING.uid)) ?? assert.fail();
  const { secret } = await humans.makeToken({ name: "a", roles: ["reviewer"], forMs: 86_400_000 }, ada, {});
  t.after(() => {
    people["ada"] = { name: "Ada Lovelace", groups: ["sre", "oncall"] };
  });
  people["ada"] = { name: "Ada Lovelace", groups: [] };
  await assert.rejects(signIn("ada"), { code: "LOGIN_NO_ROLE" });
  assert.deepEqual([...((await humans.authenticate(secret, ASKING.uid))?.roles ?? ["?"])], []);
});

test("the API token of a human who has not signed in for a month is nobody's", async (t) => {
  const { humans, signIn, clock } = await world(t);
  const ada = (await humans.authenticate((await signIn("ada")).secret, ASKING.uid)) ?? assert.fail();
  const { secret } = await humans.makeToken({ name: "a", roles: ["reviewer"], forMs: 89 * 86_400_000 }, ada, {});
  clock.advance(HUMAN_SEEN_MS);
  assert.ok(await humans.authenticate(secret, ASKING.uid));
  clock.advance(1);
  assert.equal(await humans.authenticate(secret, ASKING.uid), undefined);
});

test("broken glass makes an admin for a quarter of an hour, is told as critical, and waits for somebody else's review", async (t) => {
  const { humans, signIn, clock, kinds } = await world(t);
  const { secret } = await signIn("ada");
  const acting = (await humans.authenticate(secret, ASKING.uid)) ?? assert.fail();
  assert.ok(!acting.roles.has("admin"));
  const broken = await humans.breakGlass("pager 4711", acting, {});
  assert.equal(kinds().at(-1), "human.glass.broken");
  const admin = (await humans.authenticate(secret, ASKING.uid)) ?? assert.fail();
  assert.deepEqual([admin.roles.has("admin"), admin.glassUntilMs], [true, broken.untilMs]);
  await assert.rejects(humans.makeToken({ name: "a", roles: ["admin"], forMs: 1 }, admin, {}), {
    code: "API_TOKEN_ROLES",
  });
  const own = { name: "Ada", accounts: ["unix:2001"] }; // as whom she signed in
  await assert.rejects(humans.reviewGlass(broken.id, "fine", own, {}), { code: "BREAK_GLASS_OWN" });
  clock.advance(800_000);
  assert.ok((await humans.authenticate(secret, ASKING.uid))?.roles.has("admin"));
  clock.advance(100_000);
  assert.ok(!(await humans.authenticate(secret, ASKING.uid))?.roles.has("admin"));
  await humans.sweep();
  assert.equal(kinds().at(-1), "human.glass.over");
  assert.equal(humans.brokenGlass()[0]?.review, undefined, "its end is no review");
  const reviewed = await humans.reviewGlass(
    broken.id,
    "as pager 4711 says",
    { name: "ben", accounts: ["corp:ben"] },
    {},
  );
  assert.equal(reviewed.review?.by, "ben");
  await assert.rejects(humans.reviewGlass(broken.id, "again", { name: "ben", accounts: ["corp:ben"] }, {}), {
    code: "BREAK_GLASS_REVIEWED",
  });
});

test("one human who breaks the glass again and again keeps nobody else from it", async (t) => {
  const { humans, signIn } = await world(t, { roles: { ...ROLES, "break-glass": ["corp:oncall", "corp:audit"] } });
  const [ada, ben] = [await signIn("ada"), await signIn("ben")];
  const acting = await humans.authenticate(ada.secret, ASKING.uid);
  for (let index = 0; index < BREAK_GLASS_EACH_MAX; index += 1) await humans.breakGlass("pager", acting, {});
  await assert.rejects(humans.breakGlass("pager", acting, {}), { code: "BREAK_GLASS_FULL" });
  await humans.breakGlass("pager", await humans.authenticate(ben.secret, ASKING.uid), {});
});

test("who has the role no more keeps nothing of what broken glass gave", async (t) => {
  const { humans, signIn } = await world(t);
  const { secret } = await signIn("ada");
  await humans.breakGlass("pager", await humans.authenticate(secret, ASKING.uid), {});
  humans.configure({ logins: [login()], people: [], roles: { reviewer: ["corp:sre"] } });
  assert.deepEqual([...((await humans.authenticate(secret, ASKING.uid))?.roles ?? [])], ["reviewer"]);
});

test("whom a session or token makes now is told without a use of it, by the groups, roles and glass of now", async (t) => {
  const { humans, signIn, clock } = await world(t);
  const ada = (await humans.authenticate((await signIn("ada")).secret, ASKING.uid)) ?? assert.fail();
  const made = { name: "a", roles: ["reviewer"], forMs: 86_400_000 } as const;
  const token =
    (await humans.authenticate((await humans.makeToken(made, ada, {})).secret, ASKING.uid)) ?? assert.fail();
  const now = () => [ada, token].map(({ by }) => [...(humans.now(by)?.roles ?? ["?"])]);
  await humans.breakGlass("the pager", ada, {});
  assert.deepEqual(now(), [["reviewer", "break-glass", "admin"], ["reviewer"]]);
  clock.advance(800_000);
  humans.configure({ logins: [login()], people: [], roles: { ...ROLES, reviewer: [] } });
  assert.deepEqual(now(), [["break-glass", "admin"], []]);
  clock.advance(100_000);
  assert.deepEqual(now(), [["break-glass"], []]);
  await humans.sweep();
  assert.deepEqual(now(), [["?"], []], "it was not used");
});

test("who signs in by sudo is one with the user who logged in before, and so is every user by whom they act", async (t) => {
  const { humans, signIn } = await world(t);
  const { human } = await signIn("ada", humans, issuer, SUDO);
  const { humansOf } = humans.people;
  const ada = humansOf([human.account]);
  assert.deepEqual(humansOf(["unix:2002"]), ada);
  assert.notDeepEqual(humansOf(["unix:2003"]), ada);
  await humans.acts(human, { uid: 2003, pid: 7 });
  assert.deepEqual(humansOf(["unix:2003"]), ada);
  await humans.acts(human, { uid: 0, pid: 7 });
  assert.notDeepEqual(humansOf(["unix:0"]), ada, "root is nobody's alone");
});

test("an account's name that the issuer gives to somebody else takes no session and no token with it", async (t) => {
  const { humans, signIn } = await world(t, { logins: [login({ subject: "nick", scopes: ["openid", "profile"] })] });
  people["ada"] = { name: "Ada Lovelace", nick: "al", groups: ["sre"] };
  people["ben"] = { name: "Ben", nick: "al", groups: ["audit"] };
  t.after(() => Object.assign(people, BEFORE));
  const { secret } = await signIn("ada");
  const made = { name: "a", roles: ["reviewer"], forMs: 86_400_000 } as const;
  const acting = (await humans.authenticate(secret, ASKING.uid)) ?? assert.fail();
  const { secret: token } = await humans.makeToken(made, acting, {});
  assert.equal((await signIn("ben")).human.account, "corp:al");
  humans.configure({ logins: [login({ subject: "nick" })], people: [], roles: { reviewer: ["corp:audit"] } });
  assert.deepEqual([await humans.authenticate(token, ASKING.uid), humans.now(acting.by)], [undefined, undefined]);
  await assert.rejects(humans.authenticate(secret, ASKING.uid), { code: "HUMAN_SESSION_OVER" });
});

test("sessions of one human have a maximum", async (t) => {
  const { signIn } = await world(t);
  for (let index = 0; index < HUMAN_SESSIONS_EACH_MAX; index += 1) await signIn("ben");
  await assert.rejects(signIn("ben"), { code: "HUMAN_SESSIONS_FULL" });
  assert.equal((await signIn("ada")).human.account, "corp:ada");
});
