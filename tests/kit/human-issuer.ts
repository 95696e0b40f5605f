/**
 * A real OpenID Connect issuer (oidc-provider) on loopback with TLS, at which humans sign in: its own pages for login,
 * consent and device codes. Anybody may sign in whom `people` names; the password is not looked at.
 */
import assert from "node:assert/strict";
import { exportJWK } from "jose";
import { Provider } from "oidc-provider";
import { makeKey, type SigningKey } from "./issuer.ts";
import { LocalHttps } from "./local-https.ts";

export const CLIENT_ID = "sallyport-cli";
export const CLIENT_SECRET = "secret-of-the-web-client-5512";

export interface HumanIssuerOptions {
  /** By their subject, what the issuer says of them; may change. */
  readonly people: Record<string, Readonly<Record<string, unknown>>>;
  /** Where the claims are told: in the ID token, or at the userinfo endpoint alone. */
  readonly claimsIn?: "token" | "userinfo";
}

export class HumanIssuer extends LocalHttps {
  readonly #options: HumanIssuerOptions;
  #key: SigningKey | undefined;
  /** Methods and paths of requests that came. */
  readonly asked: string[] = [];
  /** Changes what the provider answers to a request at its token endpoint. */
  forge: ((answer: Record<string, unknown>) => Record<string, unknown>) | undefined;

  constructor(folder: string, options: HumanIssuerOptions) {
    super(folder);
    this.#options = options;
  }

  /** With it, tests sign what the provider would never give. */
  get key(): SigningKey {
    return this.#key ?? assert.fail("it has not begun");
  }

  /** At the same address when it was stopped before; what it gave then is forgotten. */
  async start(): Promise<void> {
    this.#key ??= await makeKey("ES256", "humans");
    const server = await this.listen();
    const answer = new Provider(this.url, await settingsOf(this.#options, this.key)).callback();
    server.on("request", (asked, response) => {
      this.asked.push(`${asked.method} ${asked.url?.split("?")[0]}`);
      const { forge } = this;
      if (forge !== undefined && asked.url === "/token") {
        const end = response.end.bind(response);
        response.end = ((body: string | Buffer) => {
          const bytes = Buffer.from(JSON.stringify(forge(JSON.parse(String(body)))));
          response.setHeader("content-length", bytes.length);
          return end(bytes);
        }) as typeof response.end;
      }
      answer(asked, response);
    });
  }
}

async function settingsOf(
  { people, claimsIn = "token" }: HumanIssuerOptions,
  { privateKey, kid, algorithm }: SigningKey,
): Promise<object> {
  const device = "urn:ietf:params:oauth:grant-type:device_code";
  const client = {
    ...{ redirect_uris: ["http://127.0.0.1/callback"], response_types: ["code"], application_type: "native" },
    ...{ grant_types: ["authorization_code", "refresh_token", device], id_token_signed_response_alg: algorithm },
  };
  return {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid, alg: algorithm, use: "sig" }] },
    clients: [
      { client_id: CLIENT_ID, token_endpoint_auth_method: "none", ...client },
      { client_id: `${CLIENT_ID}-secret`, client_secret: CLIENT_SECRET, ...client },
    ],
    scopes: ["openid", "offline_access"],
    claims: { openid: ["sub"], profile: ["name", "nick", "groups"], email: ["email", "email_verified"] },
    conformIdTokenClaims: claimsIn === "userinfo",
    findAccount: (_context: unknown, sub: string) =>
      Object.hasOwn(people, sub) ? { accountId: sub, claims: () => ({ sub, ...people[sub] }) } : undefined,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true }, deviceFlow: { enabled: true }, revocation: { enabled: true } },
    cookies: { keys: ["one of a test"] },
    ttl: {
      RefreshToken: 86_400,
      AccessToken: 300,
      IdToken: 300,
      DeviceCode: 300,
      Grant: 86_400,
      Session: 86_400,
      Interaction: 600,
    },
    rotateRefreshToken: true,
  };
}
