/** An issuer of tokens as the settings describe it: whose word is taken, and for what. */

/** Signatures whose verifier holds no secret. What is not in here (HMAC, "none") is never taken. */
export const TOKEN_ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
] as const;

export interface Issuer {
  readonly name: string;
  /** `iss` of its tokens, character by character. */
  readonly url: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  readonly clockSkewMs: number;
  /** What ends an identity: the end of its cgroup, or its token's expiry as well. */
  readonly until: "cgroup" | "token";
  /** How long an identity lasts at most. */
  readonly forMs: number;
  /** Which claim names groups; undefined: none. With `names`, only those in it count, under the names there. */
  readonly groups: { readonly claim: string; readonly names?: Readonly<Record<string, readonly string[]>> } | undefined;
  /** Names of the claims that become facts. */
  readonly claims: readonly string[];
  /** By claim, a glob: every one must fit. */
  readonly match: Readonly<Record<string, string>>;
  /** Names of the agents that its tokens may make; undefined: all. */
  readonly agents: readonly string[] | undefined;
  /** Roots in PEM, instead of the system's. */
  readonly ca?: string;
}
