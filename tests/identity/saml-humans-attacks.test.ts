/**
 * Answers of a SAML identity provider that sign nobody in. Each attack has its control: the same scene without it lets the person
 * in.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SIGN_IN_MS } from "../../src/base/limits.ts";
import { naiveSubjects, RECIPIENT, SAML_AUDIENCE } from "../kit/saml.ts";
import { ASKING } from "./human-world.ts";
import {
  ATTACKER,
  settings as agentsProvider,
  changed,
  clock,
  encoded,
  keys,
  part,
  response,
  SIGNATURE,
  SKEW_MS,
  SUBJECT,
  signed,
  signedWhole,
  verifier,
} from "./saml-documents.ts";
import {
  ACS,
  type Asked,
  AUDIENCE,
  answerTo,
  good,
  inConfirmation,
  inName,
  inStatement,
  login,
  OTHER,
  ROLES,
  refused,
  type Scene,
  scene,
  sessionUntil,
} from "./saml-scene.ts";
import { wrappingOf } from "./saml-wrapping.ts";

type Attack = (on: Scene) => Promise<unknown>;
/** To one request, its own user brings what became of its answer. */
const brings =
  (make: (asked: Asked) => string): Attack =>
  async ({ begin, end }) => {
    const asked = await begin();
    return end(asked, make(asked));
  };
/** The good answer comes with another RelayState. */
const relays =
  (relayState: (asked: Asked) => string): Attack =>
  async ({ begin, end }) => {
    const asked = await begin();
    return end({ ...asked, relayState: relayState(asked) }, good(asked));
  };
const IN_RESPONSE = / InResponseTo="[^"]*"/;
const OF_ACS = ` Recipient="${ACS}"`;
const TO_ACS = ` Destination="${ACS}"`;

const attacks: readonly (readonly [name: string, attack: Attack, code: string])[] = [
  [
    "that nobody asked for (begun at the provider)",
    brings(() => signed(response({ audience: AUDIENCE, recipient: ACS }))),
    "TOKEN_CLAIMS",
  ],
  ["whose response names no request", brings((asked) => changed(good(asked), IN_RESPONSE, "")), "TOKEN_CLAIMS"],
  [
    "whose confirmation names no request",
    brings((asked) => signed(inConfirmation(answerTo(asked), ""))),
    "TOKEN_CLAIMS",
  ],
  [
    "whose response names this request, and whose confirmation another",
    brings((asked) => signed(inConfirmation(answerTo(asked), ' InResponseTo="_other"'))),
    "TOKEN_CLAIMS",
  ],
  [
    "whose confirmation names this request, and whose response another",
    brings((asked) => changed(good(asked), IN_RESPONSE, ' InResponseTo="_other"')),
    "TOKEN_CLAIMS",
  ],
  [
    "to this request in other letters",
    brings((asked) => good({ ...asked, requestId: asked.requestId.toUpperCase() })),
    "TOKEN_CLAIMS",
  ],
  [
    "to another request of the same user",
    async ({ begin, end }) => {
      const [one, two] = [await begin(), await begin()];
      return end(one, good(two));
    },
    "TOKEN_CLAIMS",
  ],
  [
    "to the attacker's request, as the attacker, brought to the user's sign-in (login CSRF)",
    async ({ begin, end }) => {
      const [users, attackers] = [await begin(), await begin(OTHER)];
      return end(users, good(attackers, { subject: ATTACKER }));
    },
    "TOKEN_CLAIMS",
  ],
  [
    "to the attacker's request, with its RelayState, brought by the user",
    async ({ begin, end }) => {
      const attackers = await begin(OTHER);
      return end(attackers, good(attackers, { subject: ATTACKER }));
    },
    "LOGIN_FLOW",
  ],
  [
    "that was stolen with its RelayState, shown by another user",
    async ({ begin, end }) => {
      const asked = await begin();
      return end(asked, good(asked), OTHER);
    },
    "LOGIN_FLOW",
  ],
  [
    "that was stolen, shown for a request of the thief's",
    async ({ begin, end }) => {
      const [users, thiefs] = [await begin(), await begin(OTHER)];
      return end(thiefs, good(users), OTHER);
    },
    "TOKEN_CLAIMS",
  ],
  ["with a RelayState that is made up", relays(() => "x".repeat(43)), "LOGIN_FLOW"],
  ["with no RelayState", relays(() => ""), "LOGIN_FLOW"],
  ["with the request's ID as RelayState", relays(({ requestId }) => requestId), "LOGIN_FLOW"],
  [
    "behind a bad one to the same request",
    async ({ begin, end }) => {
      const asked = await begin();
      await assert.rejects(end(asked, good(asked, { recipient: RECIPIENT })), { code: "LOGIN_REFUSED" });
      return end(asked, good(asked));
    },
    "LOGIN_FLOW",
  ],
  [
    "that comes too late",
    async ({ begin, end }) => {
      const asked = await begin();
      clock.advance(SIGN_IN_MS);
      return end(asked, good(asked));
    },
    "LOGIN_FLOW",
  ],
  [
    "that comes after the settings of its login were others",
    async ({ begin, end, humans }) => {
      const asked = await begin();
      for (const audience of ["https://other.example", AUDIENCE]) {
        humans.configure({ logins: [login({ audience })], people: [], roles: ROLES });
      }
      return end(asked, good(asked));
    },
    "LOGIN_FLOW",
  ],
  [
    "that comes to the next daemon",
    async ({ begin, restart }) => {
      const asked = await begin();
      return (await restart()).endSaml(encoded(good(asked)), asked.relayState, ASKING);
    },
    "LOGIN_FLOW",
  ],
  [
    "for another recipient",
    brings((asked) => signed(changed(answerTo(asked), OF_ACS, ' Recipient="http://127.0.0.1:7421/saml"'))),
    "TOKEN_AUDIENCE",
  ],
  ["for no recipient", brings((asked) => signed(changed(answerTo(asked), OF_ACS, ""))), "TOKEN_AUDIENCE"],
  [
    "on its way to somebody else",
    brings((asked) => changed(good(asked), TO_ACS, ' Destination="https://other.example"')),
    "TOKEN_AUDIENCE",
  ],
  ["on its way to nobody", brings((asked) => changed(good(asked), TO_ACS, "")), "TOKEN_AUDIENCE"],
  ["for another audience", brings((asked) => good(asked, { audience: "https://other.example" })), "TOKEN_AUDIENCE"],
  ["for the audience of agents", brings((asked) => good(asked, { audience: SAML_AUDIENCE })), "TOKEN_AUDIENCE"],
  ["of another provider", brings((asked) => good(asked, { issuer: "https://evil.example" })), "TOKEN_ISSUER"],
  [
    "that has expired",
    brings((asked) => good(asked, { issuedMs: -400_000, beginsMs: -400_000, endsMs: -SKEW_MS })),
    "TOKEN_EXPIRED",
  ],
  ["whose confirmation has expired", brings((asked) => good(asked, { confirmedUntilMs: -SKEW_MS })), "TOKEN_EXPIRED"],
  ["whose session is over", brings((asked) => signed(inStatement(answerTo(asked), sessionUntil(0)))), "TOKEN_EXPIRED"],
  ["whose time has not come", brings((asked) => good(asked, { beginsMs: SKEW_MS + 1 })), "TOKEN_NOT_YET"],
  ["that says that nobody logged in", brings((asked) => good(asked, { status: "Responder" })), "TOKEN_STATUS"],
  [
    "that does not say that somebody logged in",
    brings((asked) => signed(changed(answerTo(asked), /<saml:AuthnStatement .*<\/saml:AuthnStatement>/, ""))),
    "TOKEN_CLAIMS",
  ],
  [
    "whose bearer must hold a key",
    brings((asked) => signed(changed(answerTo(asked), "cm:bearer", "cm:holder-of-key"))),
    "TOKEN_CLAIMS",
  ],
  [
    "whose name is another one each time",
    brings((asked) => signed(inName(answerTo(asked), "transient"))),
    "TOKEN_CLAIMS",
  ],
  ["that is not signed", brings((asked) => answerTo(asked)), "TOKEN_SIGNATURE"],
  ["that is signed, but its assertion is not", brings((asked) => signedWhole(answerTo(asked))), "TOKEN_SIGNATURE"],
  [
    "whose own signature is a stranger's",
    brings((asked) => signedWhole(good(asked), {}, keys.strange)),
    "TOKEN_SIGNATURE",
  ],
  [
    "by a certificate that the settings do not have",
    brings((asked) => signed(answerTo(asked), {}, keys.next)),
    "TOKEN_SIGNATURE",
  ],
  [
    "to another request, in which this one's ID was put after it was signed",
    async ({ begin, end }) => {
      const [one, two] = [await begin(), await begin()];
      return end(one, good(two).replaceAll(two.requestId, one.requestId));
    },
    "TOKEN_SIGNATURE",
  ],
  [
    "with the signature of another one",
    async ({ begin, end }) => {
      const [one, two] = [await begin(), await begin()];
      return end(one, changed(good(one), SIGNATURE, part(good(two), SIGNATURE)));
    },
    "TOKEN_SIGNATURE",
  ],
  ["that is no XML", brings(() => "x"), "TOKEN_MALFORMED"],
];

async function letsIn({ begin, end }: Scene): Promise<void> {
  const asked = await begin();
  assert.equal((await end(asked, good(asked))).human.account, `legacy:${SUBJECT}`);
}

for (const [name, attack, code] of attacks) {
  test(`an answer ${name} signs nobody in (${code}), and one without that does`, async (t) => {
    const on = await scene(t);
    await refused(attack(on), code);
    assert.deepEqual(on.humans.sessions(), []);
    await letsIn(on);
  });
}

for (const [index, [name]] of wrappingOf(response).entries()) {
  test(`an answer with ${name} signs nobody in, and one without that does`, async (t) => {
    const on = await scene(t);
    const asked = await on.begin();
    const [, make, code] = wrappingOf((more) => answerTo(asked, more))[index] ?? assert.fail();
    const xml = make();
    assert.ok(naiveSubjects(xml, keys.current.certificate).includes(ATTACKER), "the attack is none");
    await refused(on.end(asked, xml), code);
    assert.deepEqual(on.humans.sessions(), []);
    await letsIn(on);
  });
}

test("an answer counts once: not for its request again, not for another one, not for two who are as fast", async (t) => {
  const { begin, end, humans } = await scene(t);
  const [asked, other, raced] = [await begin(), await begin(), await begin()];
  const xml = good(asked);
  await end(asked, xml);
  await refused(end(asked, xml), "LOGIN_FLOW");
  await refused(end(other, xml), "TOKEN_CLAIMS");
  assert.equal(humans.sessions().length, 1);
  const both = await Promise.allSettled([end(raced, good(raced)), end(raced, good(raced))]);
  assert.deepEqual(both.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
  assert.equal(humans.sessions().length, 2);
});

test("an answer to a human is no token of an agent, whatever its recipient, and one for that audience is", async (t) => {
  const { begin } = await scene(t);
  const asked = await begin();
  const tokens = verifier(agentsProvider({ recipient: undefined }));
  await assert.rejects(tokens.identify(encoded(good(asked)), "ci"), { code: "TOKEN_AUDIENCE" });
  const meant = good(asked, { audience: SAML_AUDIENCE });
  assert.equal((await tokens.identify(encoded(meant), "ci")).subject, SUBJECT);
});
