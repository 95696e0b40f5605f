/**
 * Sign-ins that have begun: by a code or a SAML response that the person's browser brings back, or by a device code. What
 * they must bring back (state, nonce, PKCE verifier, device code, ID of the request) stays here; each can be ended once, by
 * who began it. Strangers, who come over the network and show nothing, are known again by a secret of the flow that no
 * browser has seen.
 */
import { randomBytes } from "node:crypto";
import { type DeviceAuthorizationResponse, randomNonce, randomPKCECodeVerifier, randomState } from "openid-client";
import { UserError } from "../../base/errors.ts";
import {
  DEVICE_WAIT_MS,
  SIGN_IN_MS,
  SIGN_INS_EACH_MAX,
  SIGN_INS_MAX,
  SIGN_INS_STRANGERS_MAX,
} from "../../base/limits.ts";
import type { Human, Login } from "../../model/human.ts";
import { type CodeChecks, LoginClient, type LoginWorld, type SignedIn } from "./login-client.ts";
import { SamlClient } from "./saml-client.ts";

type Client = LoginClient | SamlClient;

/** Who begins one: by an account, or a stranger from a network. */
export type Beginner = { readonly account: string } | { readonly network: string };

interface Begun {
  readonly who: Beginner;
  /** What a stranger must show to end it. */
  readonly flow: string;
  readonly endsMs: number;
  readonly way:
    | { readonly kind: "code"; readonly client: LoginClient; readonly checks: CodeChecks }
    | { readonly kind: "saml"; readonly client: SamlClient; readonly requestId: string }
    | {
        readonly kind: "device";
        readonly client: LoginClient;
        readonly outcome: Promise<Outcome>;
        readonly stop: AbortController;
      };
}

type Outcome = { readonly signedIn: SignedIn } | { readonly failure: unknown };

export interface DeviceSignIn {
  readonly flow: string;
  readonly login: string;
  /** What the person types in at `url`; `completeUrl` holds it already. */
  readonly code: string;
  readonly url: string;
  readonly completeUrl?: string;
  readonly endsMs: number;
}

export interface SamlSignIn {
  readonly login: string;
  readonly url: string;
  /** What the response has to come back with. */
  readonly relayState: string;
  readonly endsMs: number;
}

export class SignIns {
  readonly #world: LoginWorld;
  readonly #begun = new Map<string, Begun>();
  #clients: readonly Client[] = [];

  constructor(world: LoginWorld) {
    this.#world = world;
  }

  /** What was begun with a login that is another one now comes to nothing. */
  configure(logins: readonly Login[]): void {
    const before = new Map(this.#clients.map((client) => [JSON.stringify(client.login), client]));
    this.#clients = logins.map((login) => before.get(JSON.stringify(login)) ?? clientOf(login, this.#world));
    for (const [flow, { way }] of this.#begun) if (!this.#clients.includes(way.client)) this.#end(flow);
  }

  /** Throws LOGIN_UNKNOWN, LOGIN_KIND, SIGN_INS_FULL, LOGIN_UNREACHABLE. */
  async beginCode(
    login: string | undefined,
    redirectUri: string,
    who: Beginner,
  ): Promise<{ readonly flow: string; readonly login: string; readonly url: string; readonly endsMs: number }> {
    const client = this.#oidc(login);
    this.#requireRoom(who);
    const [state, flow] = [randomState(), randomState()];
    const checks = { redirectUri, state, nonce: randomNonce(), verifier: randomPKCECodeVerifier() };
    const endsMs = this.#world.clock.nowMs() + SIGN_IN_MS;
    this.#begun.set(state, { who, flow, endsMs, way: { kind: "code", client, checks } });
    try {
      return { flow, login: client.login.name, url: await client.authorizationUrl(checks), endsMs };
    } catch (error) {
      this.#end(state);
      throw error;
    }
  }

  /** Throws LOGIN_FLOW, LOGIN_REFUSED, LOGIN_UNREACHABLE, LOGIN_CLAIMS; then it has to begin anew. */
  async endCode(query: URLSearchParams, flow: string | undefined, who: Beginner): Promise<SignedIn> {
    const state = query.get("state") ?? "";
    const { way } = this.#of(state, flow, who);
    if (way.kind !== "code") throw flowOver();
    this.#end(state); // a second use of the code is an attack, or comes to nothing
    return way.client.byCode(query, way.checks);
  }

  /** Throws LOGIN_UNKNOWN, LOGIN_KIND, SIGN_INS_FULL. */
  async beginSaml(login: string | undefined, who: Beginner): Promise<SamlSignIn> {
    const client = this.#client(login);
    if (!(client instanceof SamlClient)) throw otherKind(client, "speaks OpenID Connect");
    this.#requireRoom(who);
    const relayState = randomState();
    const requestId = `_${randomBytes(32).toString("hex")}`; // an ID in XML begins with no digit
    const endsMs = this.#world.clock.nowMs() + SIGN_IN_MS;
    // the browser sees all that ends it: strangers, who have nothing else, begin none
    this.#begun.set(relayState, { who, flow: randomState(), endsMs, way: { kind: "saml", client, requestId } });
    return { login: client.login.name, url: await client.signOnUrl(requestId, relayState), relayState, endsMs };
  }

  /** Throws LOGIN_FLOW, LOGIN_REFUSED, LOGIN_CLAIMS; then it has to begin anew. */
  async endSaml(response: string, relayState: string, who: Beginner): Promise<SignedIn> {
    const { way } = this.#of(relayState, undefined, who);
    if (way.kind !== "saml") throw flowOver();
    this.#end(relayState); // one response to a request, good or not
    return way.client.byResponse(response, way.requestId);
  }

  /** Throws LOGIN_UNKNOWN, LOGIN_KIND, SIGN_INS_FULL, LOGIN_UNREACHABLE, LOGIN_REFUSED. */
  async beginDevice(login: string | undefined, who: Beginner): Promise<DeviceSignIn> {
    const client = this.#oidc(login);
    this.#requireRoom(who);
    const flow = randomState();
    const stop = new AbortController();
    const begin = client.beginDevice();
    const outcome = begin
      .then((begun) => client.byDevice(begun, stop.signal))
      .then(
        (signedIn) => ({ signedIn }),
        (failure: unknown) => ({ failure }),
      );
    const latestMs = this.#world.clock.nowMs() + SIGN_IN_MS;
    this.#begun.set(flow, { who, flow, endsMs: latestMs, way: { kind: "device", client, outcome, stop } });
    try {
      const begun = await begin;
      return { flow, login: client.login.name, ...this.#shown(begun, latestMs) };
    } catch (error) {
      this.#end(flow);
      throw error;
    }
  }

  /** Undefined: the person has not answered yet. Throws as `endCode`. */
  async endDevice(flow: string, who: Beginner): Promise<SignedIn | undefined> {
    const { way } = this.#of(flow, flow, who);
    if (way.kind !== "device") throw flowOver();
    let timer: NodeJS.Timeout | undefined;
    const later = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, DEVICE_WAIT_MS, undefined);
    });
    const outcome = await Promise.race([way.outcome, later]);
    clearTimeout(timer);
    if (outcome === undefined) return undefined;
    if (!this.#begun.has(flow)) throw flowOver(); // another request of the same user was faster
    this.#end(flow);
    if ("signedIn" in outcome) return outcome.signedIn;
    throw outcome.failure;
  }

  /** Throws LOGIN_UNKNOWN, and as LoginClient.refresh. */
  refresh(login: string, refreshToken: string, before: Human): Promise<SignedIn> {
    return this.#oidc(login).refresh(refreshToken, before);
  }

  /** Nobody ends those any more. */
  expire(): void {
    const nowMs = this.#world.clock.nowMs();
    for (const [flow, { endsMs }] of this.#begun) if (endsMs <= nowMs) this.#end(flow);
  }

  close(): void {
    for (const flow of [...this.#begun.keys()]) this.#end(flow);
  }

  #shown(begun: DeviceAuthorizationResponse, latestMs: number): Omit<DeviceSignIn, "flow" | "login"> {
    const { user_code: code, verification_uri: url, verification_uri_complete: completeUrl, expires_in: ends } = begun;
    const endsMs = Math.min(latestMs, this.#world.clock.nowMs() + ends * 1_000);
    return { code, url, ...(completeUrl === undefined ? {} : { completeUrl }), endsMs };
  }

  #oidc(name: string | undefined): LoginClient {
    const client = this.#client(name);
    if (client instanceof LoginClient) return client;
    throw otherKind(client, "speaks SAML, which has no codes");
  }

  #client(name: string | undefined): Client {
    const names = this.#clients.map(({ login }) => login.name);
    const found = name === undefined ? this.#clients : this.#clients.filter(({ login }) => login.name === name);
    const [only] = found;
    if (only !== undefined && found.length === 1) return only;
    const remedy = names.length === 0 ? "Add one to identity.logins in the settings" : `Known: ${names.join(", ")}`;
    const message = name === undefined && names.length > 0 ? "Cannot tell by which login" : "Cannot find that login";
    throw new UserError("LOGIN_UNKNOWN", message, remedy);
  }

  #of(id: string, flow: string | undefined, who: Beginner): Begun {
    this.expire();
    const begun = this.#begun.get(id);
    if (begun === undefined || !isOf(begun, flow, who)) throw flowOver();
    return begun;
  }

  #end(id: string): void {
    const begun = this.#begun.get(id);
    this.#begun.delete(id);
    if (begun?.way.kind === "device") begun.way.stop.abort();
  }

  /** Strangers, of however many addresses, leave room for everybody else. */
  #requireRoom(who: Beginner): void {
    this.expire();
    const all = [...this.#begun.values()];
    const own = all.filter((begun) => nameOf(begun.who) === nameOf(who)).length;
    const strangers = "network" in who ? all.filter((begun) => "network" in begun.who).length : 0;
    if (own < SIGN_INS_EACH_MAX && all.length < SIGN_INS_MAX && strangers < SIGN_INS_STRANGERS_MAX) return;
    throw new UserError(
      "SIGN_INS_FULL",
      "Cannot begin to sign in: too many have begun and not ended",
      `Wait for them to expire (${SIGN_IN_MS / 60_000} minutes)`,
    );
  }
}

function nameOf(who: Beginner): string {
  return "account" in who ? `account ${who.account}` : `network ${who.network}`;
}

/** A stranger's address may change on the way. */
function isOf(begun: Begun, flow: string | undefined, who: Beginner): boolean {
  if ("network" in who) return "network" in begun.who && begun.flow === flow;
  return nameOf(begun.who) === nameOf(who);
}

function clientOf(login: Login, world: LoginWorld): Client {
  return login.kind === "oidc" ? new LoginClient(login, world) : new SamlClient(login, world);
}

function otherKind({ login: { name } }: Client, speaks: string): UserError {
  const remedy = `Leave --device out: sallyport login --issuer ${name}`;
  return new UserError("LOGIN_KIND", `Cannot sign in so by login ${name}: it ${speaks}`, remedy);
}

function flowOver(): UserError {
  const message = "Cannot end this sign-in: it is not known, has ended or has expired";
  return new UserError("LOGIN_FLOW", message, "Begin anew: sallyport login");
}
