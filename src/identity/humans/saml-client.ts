/**
 * One login's side of SAML 2.0: the request that a sign-in begins with, and the response to exactly that request, under
 * the checks that agents' responses have as well. What nobody asked for signs nobody in. Keeps nothing.
 * Source: SAML 2.0 profiles, section 4.1 (web browser SSO).
 */
import { UserError } from "../../base/errors.ts";
import { NAME_ID, type SamlLogin } from "../../model/human.ts";
import type { Assertion } from "../saml-assertion.ts";
import type { SamlForm } from "../saml-form.ts";
import type { Claims } from "../token-claims.ts";
import { audienceRefused, claimsRefused, expired } from "../token-refusals.ts";
import { humanOf } from "./claims.ts";
import type { LoginWorld, SignedIn } from "./login-client.ts";

export class SamlClient {
  readonly login: SamlLogin;
  readonly #world: LoginWorld;

  constructor(login: SamlLogin, world: LoginWorld) {
    this.login = login;
    this.#world = world;
  }

  /** Where the person's browser has to go. `relayState` comes back beside the response. */
  async signOnUrl(requestId: string, relayState: string): Promise<string> {
    // 25 MiB with its libraries, of which a daemon at which nobody signs in by SAML has nothing
    const { signOnUrl } = await import("../saml.ts");
    return signOnUrl(this.login, requestId, relayState);
  }

  /**
   * `response`: base64, as the browser brought it. The caller takes one for a request and no second: so an assertion, which
   * names its request under its signature, counts once. Throws LOGIN_REFUSED, LOGIN_CLAIMS.
   */
  async byResponse(response: string, requestId: string): Promise<SignedIn> {
    try {
      return await this.#signedIn(response, requestId);
    } catch (error) {
      throw error instanceof UserError && error.code !== "LOGIN_CLAIMS" ? this.#inWords(error) : error;
    }
  }

  async #signedIn(response: string, requestId: string): Promise<SignedIn> {
    const { readSamlForm } = await import("../saml-form.ts");
    const { believed, claimsOf } = await import("../saml.ts");
    const nowMs = this.#world.clock.nowMs();
    const form = readSamlForm(response);
    const assertion = await believed(this.login, form, nowMs);
    checkAnswer(form, assertion, requestId);
    if (form.destination === undefined) throw audienceRefused(); // another one is refused by `believed`
    if (!assertion.isAuthenticated) throw claimsRefused("it does not say that somebody has logged in (AuthnStatement)");
    const { sessionEndsMs } = assertion;
    if (sessionEndsMs <= nowMs) throw expired();
    const claims = claimsOf(assertion);
    const human = humanOf(claims, this.#sub(assertion, claims), this.login);
    return { human, ...(sessionEndsMs === Number.POSITIVE_INFINITY ? {} : { endsMs: sessionEndsMs }) };
  }

  /** A transient NameID is a new one each time: it cannot say who somebody is. */
  #sub({ isPassing }: Assertion, claims: Claims): unknown {
    const { subject } = this.login;
    if (isPassing && subject === NAME_ID) throw claimsRefused("its NameID is transient; name an attribute as subject");
    return claims[isPassing ? subject : NAME_ID];
  }

  /** Refusals speak of tokens of agents. Their words name what is wrong, and never a value. */
  #inWords({ code, message }: UserError): UserError {
    const why = message.replace(/^Cannot use the token: /, "");
    const remedy =
      "Sign in again; where that does not help, compare the login in identity.logins with its identity provider, and both clocks";
    return new UserError("LOGIN_REFUSED", `Cannot sign in by login ${this.login.name}: ${why} (${code})`, remedy);
  }
}

/** In the assertion and around it: one that answers no request is whoever's who has it. */
function checkAnswer({ inResponseTo }: SamlForm, assertion: Assertion, requestId: string): void {
  if (inResponseTo === requestId && assertion.inResponseTo === requestId) return;
  throw claimsRefused("it does not answer the request of this sign-in (InResponseTo)");
}
