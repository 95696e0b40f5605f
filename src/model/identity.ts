/** An agent: a tagged cgroup together with who it is. `slot` is the kernel's number for it. */
export interface Agent {
  readonly slot: number;
  readonly name: string;
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
  /** Where a token said who it is: its groups and claims are among those above while it lasts. */
  readonly identity?: AgentIdentity;
  /** Somebody took back what it may do: it may do nothing more. */
  readonly revoked?: true;
}

/** `over`: it has ended, and the agent may do nothing more until its tag ends. */
export interface AgentIdentity {
  readonly state: "valid" | "over";
  /** The issuer's name in the settings, and its subject. */
  readonly issuer: string;
  readonly subject: string;
}

/** What a verified token says of who shows it. Holds nothing by which the token could be shown again. */
export interface Identity {
  /** The issuer's name in the settings, and its URL. */
  readonly issuer: string;
  readonly issuerUrl: string;
  readonly subject: string;
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
  /** A hash that is the same for the same token only. */
  readonly token: string;
  /** Until when the token could be shown again, whatever skew another entry or later settings allow. */
  readonly tokenEndsMs: number;
  readonly endsMs: number;
}
