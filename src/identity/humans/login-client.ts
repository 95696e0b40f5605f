/** One login's side of OpenID Connect, by openid-client: what its issuer says is verified here. Keeps no secret. */
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientError,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  calculatePKCECodeChallenge,
  customFetch,
  type DeviceAuthorizationResponse,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  initiateDeviceAuthorization,
  None,
  pollDeviceAuthorizationGrant,
  ResponseBodyError,
  refreshTokenGrant,
  type ServerMetadata,
  type TokenEndpointResponse,
  type TokenEndpointResponseHelpers,
} from "openid-client";
import type { Clock } from "../../base/clock.ts";
import { codeOf, UserError } from "../../base/errors.ts";
import { ISSUER_WAIT_MS, LOGIN_FRESH_MS } from "../../base/limits.ts";
import type { Human, OidcLogin } from "../../model/human.ts";
import type { SecretRef } from "../../model/sink.ts";
import { algorithmRefused, readTokenForm } from "../token-form.ts";
import { humanOf, isFor } from "./claims.ts";
import { issuerFetch } from "./issuer-fetch.ts";

/** What a sign-in or a refresh brought. */
export interface SignedIn {
  readonly human: Human;
  readonly refreshToken?: string;
  /** When the issuer ends what it began, where it says so. */
  readonly endsMs?: number;
}

/** What the code flow must bring back. */
export interface CodeChecks {
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export interface LoginWorld {
  readonly clock: Clock;
  /** The caller wipes it. */
  readonly readSecret: (reference: SecretRef) => Promise<Buffer>;
}

type Answer = TokenEndpointResponse & TokenEndpointResponseHelpers;

export class LoginClient {
  readonly login: OidcLogin;
  readonly #world: LoginWorld;
  #said: { readonly metadata: ServerMetadata; readonly atMs: number } | undefined;

  constructor(login: OidcLogin, world: LoginWorld) {
    this.login = login;
    this.#world = world;
  }

  /** Where the person's browser has to go. Source: RFC 6749, section 4.1; RFC 7636. */
  async authorizationUrl({ redirectUri, state, nonce, verifier }: CodeChecks): Promise<string> {
    return this.#asking(async (issuer) => {
      const challenge = await calculatePKCECodeChallenge(verifier);
      const url = buildAuthorizationUrl(issuer, {
        ...{ redirect_uri: redirectUri, scope: this.login.scopes.join(" "), state, nonce },
        ...{ code_challenge: challenge, code_challenge_method: "S256" },
        // Without it, an issuer gives no refresh token for offline_access. Source: OpenID Connect Core 1.0, section 11.
        ...(this.login.scopes.includes("offline_access") ? { prompt: "consent" } : {}),
      });
      return url.href;
    });
  }

  /** `query`: what the browser brought back. */
  byCode(query: URLSearchParams, { redirectUri, state, nonce, verifier }: CodeChecks): Promise<SignedIn> {
    return this.#asking(async (issuer) => {
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true };
      const answer = await authorizationCodeGrant(issuer, new URL(`${redirectUri}?${query}`), checks);
      return this.#signedIn(issuer, answer);
    });
  }

  /** Source: RFC 8628. */
  beginDevice(): Promise<DeviceAuthorizationResponse> {
    return this.#asking((issuer) => initiateDeviceAuthorization(issuer, { scope: this.login.scopes.join(" ") }));
  }

  /** Asks until the person has answered, the code has expired or the signal ends it. */
  byDevice(begun: DeviceAuthorizationResponse, signal: AbortSignal): Promise<SignedIn> {
    return this.#asking(async (issuer) => {
      const answer = await pollDeviceAuthorizationGrant(issuer, begun, undefined, { signal });
      return this.#signedIn(issuer, answer);
    });
  }

  /** Throws LOGIN_REFUSED where the issuer gives no more, LOGIN_UNREACHABLE where it does not answer. */
  refresh(refreshToken: string, before: Human): Promise<SignedIn> {
    return this.#asking(async (issuer) => {
      const answer = await refreshTokenGrant(issuer, refreshToken);
      const next = await this.#signedIn(issuer, answer, before);
      return { refreshToken, ...next }; // one that is not replaced stays good
    });
  }

  /** `before`: whose refresh this is; it may come without an ID token. */
  async #signedIn(issuer: Configuration, answer: Answer, before?: Human): Promise<SignedIn> {
    const { id_token: token, access_token: accessToken, refresh_token: refreshToken } = answer;
    const claims = answer.claims();
    if (token !== undefined && claims !== undefined) {
      const { algorithm } = readTokenForm(token);
      if (!this.login.algorithms.includes(algorithm)) throw algorithmRefused();
      if (!isFor(accessToken, algorithm, claims)) throw this.#refused("its ID token is for another access token");
    } else if (before === undefined) throw this.#refused("it gave no ID token");
    const sub = claims?.sub ?? before?.sub ?? "";
    if (before !== undefined && sub !== before.sub) throw this.#refused("it names another human than before");
    const human = humanOf({ ...(await this.#more(issuer, accessToken, sub, claims)), ...claims, sub }, sub, this.login);
    return { human, ...(refreshToken === undefined ? {} : { refreshToken }) };
  }

  /** Issuers may tell the rest at their userinfo endpoint only. */
  async #more(issuer: Configuration, accessToken: string, sub: string, claims: object = {}): Promise<object> {
    const { groups, subject, displayName } = this.login;
    const wanted = [subject, displayName, ...(groups === undefined ? [] : [groups.claim])];
    const isWhole = wanted.every((claim) => Object.hasOwn(claims, claim));
    if (isWhole || issuer.serverMetadata().userinfo_endpoint === undefined) return {};
    return fetchUserInfo(issuer, accessToken, sub);
  }

  /** With an issuer that is known by now; what fails becomes an error for a person, in which nothing of the answer stands. */
  async #asking<T>(work: (issuer: Configuration) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#configuration());
    } catch (error) {
      throw this.#inWords(error);
    }
  }

  async #configuration(): Promise<Configuration> {
    const { name, url, clientId, clientSecret, ca } = this.login;
    const fetch = issuerFetch(name, ca);
    const nowMs = this.#world.clock.nowMs();
    if (this.#said === undefined || Math.abs(nowMs - this.#said.atMs) >= LOGIN_FRESH_MS) {
      const options = { [customFetch]: fetch, timeout: ISSUER_WAIT_MS / 1_000 };
      const found = await discovery(new URL(url), clientId, undefined, None(), options);
      const { supportsPKCE: _asked, ...metadata } = found.serverMetadata();
      if (metadata.issuer !== url) throw this.#refused("its discovery document is another issuer's");
      this.#said = { metadata, atMs: nowMs };
    }
    const { metadata } = this.#said;
    const authentication = clientSecret === undefined ? None() : await this.#authentication(clientSecret, metadata);
    const issuer = new Configuration(metadata, clientId, undefined, authentication);
    issuer[customFetch] = fetch;
    issuer.timeout = ISSUER_WAIT_MS / 1_000;
    enableNonRepudiationChecks(issuer); // TLS says who answered; the signature also says what they meant
    return issuer;
  }

  async #authentication(reference: SecretRef, metadata: ServerMetadata) {
    const bytes = await this.#world.readSecret(reference);
    const secret = bytes.toString("utf8");
    bytes.fill(0);
    const methods = metadata.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
    return methods.includes("client_secret_basic") ? ClientSecretBasic(secret) : ClientSecretPost(secret);
  }

  #inWords(error: unknown): UserError {
    const known = [error, error instanceof Error ? error.cause : undefined].find((one) => one instanceof UserError);
    if (known !== undefined) return known;
    if (error instanceof ResponseBodyError) return this.#refused(`it answered ${word(error.error)}`);
    if (error instanceof ClientError) return this.#refused(`its answer cannot be taken (${word(codeOf(error))})`);
    return this.#refused("its answer cannot be understood");
  }

  #refused(why: string): UserError {
    const remedy = "Sign in again; where that does not help, compare the login in identity.logins with its issuer";
    return new UserError("LOGIN_REFUSED", `Cannot sign in by login ${this.login.name}: ${why}`, remedy);
  }
}

/** An error's code, and nothing else that an issuer could have written. */
function word(code: string): string {
  return /^[A-Za-z_]{1,64}$/.test(code) ? code : "with an error";
}
