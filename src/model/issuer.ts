/** Issuers of tokens as the settings describe them: whose word is taken, and for what. */

/** Signatures whose verifier holds no secret. What is not in here (HMAC, "none") is never taken. */
export const TOKEN_ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
] as const;

/** What the settings say of every issuer, whatever its tokens are. */
export interface TokenTerms {
  readonly name: string;
  /** What its tokens call it, character by character: `iss`, or the entity id of a SAML identity provider. */
  readonly url: string;
  readonly audience: string;
  readonly clockSkewMs: number;
  /** What ends an identity: the end of its cgroup, or its token's expiry as well. */
  readonly until: "cgroup" | "token";
  /** How long an identity lasts at most. */
  readonly forMs: number;
  /** Which claim names groups; undefined: none. With `names`, only those in it count, under the names there. */
  readonly groups: { readonly claim: string; readonly names?: Readonly<Record<string, readonly string[]>> } | undefined;
  /** By claim, a glob: every one must fit. */
  readonly match: Readonly<Record<string, string>>;
  /** Names of the agents that its tokens may make; undefined: all. */
  readonly agents: readonly string[] | undefined;
}

/** Of JWTs (OpenID Connect). */
export interface Issuer extends TokenTerms {
  readonly algorithms: readonly string[];
  /** Names of the claims that become facts. */
  readonly claims: readonly string[];
  /** Roots in PEM, instead of the system's. */
  readonly ca?: string;
}

/** Of SAML responses: an identity provider. Attributes are its claims, under their names there. */
export interface SamlProvider extends TokenTerms {
  /** Of the keys that it signs with, in PEM, one each. */
  readonly certificates: readonly string[];
  /** Where its responses must be meant to go; undefined: anywhere. */
  readonly recipient: string | undefined;
  /** Names of facts, each with the attribute that it comes from. */
  readonly claims: Readonly<Record<string, string>>;
}
