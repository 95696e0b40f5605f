/**
 * A real OpenID Connect issuer (oidc-provider) on loopback with TLS. Its keys are ours, so that tokens can be made by
 * hand that it would never give.
 */
import { request } from "node:https";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { Provider } from "oidc-provider";
import { LocalHttps } from "./local-https.ts";

export const AUDIENCE = "https://sallyport.example";
const CLIENT = { id: "job-7", secret: "secret-of-the-client-7731" };

export interface SigningKey {
  readonly kid: string;
  readonly algorithm: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

export async function makeKey(algorithm: string, kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return { kid, algorithm, privateKey, publicKey };
}

/** A token as `key` signs it. A claim or header that is undefined is left out. */
export function sign(
  key: Pick<SigningKey, "kid" | "algorithm" | "privateKey">,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const whole = { alg: key.algorithm, kid: key.kid, typ: "JWT", ...header };
  const kept = Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined));
  return new SignJWT({ ...claims }).setProtectedHeader(kept as { alg: string }).sign(key.privateKey);
}

export class Issuer extends LocalHttps {
  /** Requests that came, by path. */
  readonly asked: string[] = [];
  /** Answers instead of the provider, where it is set. */
  instead:
    | ((path: string) => { readonly status: number; readonly body: string; readonly location?: string })
    | undefined;

  /** Begins with these keys; at the same address when it was stopped before. */
  async start(keys: readonly SigningKey[]): Promise<void> {
    const server = await this.listen();
    const answer = new Provider(this.url, await settingsOf(keys)).callback();
    server.on("request", (asked, response) => {
      this.asked.push(asked.url ?? "");
      const other = this.instead?.(asked.url ?? "");
      if (other === undefined) return answer(asked, response);
      response.writeHead(other.status, other.location === undefined ? {} : { location: other.location });
      response.end(other.body);
    });
  }

  /** An access token of the provider's own making: subject and client are the job's. */
  async give(): Promise<string> {
    const body = new URLSearchParams({ grant_type: "client_credentials", resource: AUDIENCE, scope: "run" });
    const authorization = `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString("base64")}`;
    const headers = { authorization, "content-type": "application/x-www-form-urlencoded" };
    const text = await new Promise<string>((resolve, reject) => {
      const asked = request(`${this.url}/token`, { method: "POST", agent: false, ca: this.ca, headers }, (answer) => {
        let all = "";
        answer.setEncoding("utf8").on("data", (part: string) => {
          all += part;
        });
        answer.once("end", () => resolve(all));
      });
      asked.once("error", reject);
      asked.end(body.toString());
    });
    return (JSON.parse(text) as { access_token: string }).access_token;
  }
}

async function settingsOf(keys: readonly SigningKey[]): Promise<object> {
  const jwks: JWK[] = [];
  for (const { kid, algorithm, privateKey } of keys) {
    jwks.push({ ...(await exportJWK(privateKey)), kid, alg: algorithm, use: "sig" });
  }
  const resource = { scope: "run", accessTokenFormat: "jwt", audience: AUDIENCE, accessTokenTTL: 300 };
  const grants = { grant_types: ["client_credentials"], redirect_uris: [], response_types: [] };
  return {
    jwks: { keys: jwks },
    clients: [{ client_id: CLIENT.id, client_secret: CLIENT.secret, ...grants }],
    scopes: ["openid", "run"],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({ ...resource, jwt: { sign: { alg: keys[0]?.algorithm ?? "RS256" } } }),
      },
    },
  };
}
