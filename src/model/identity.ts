/** An agent: a tagged cgroup together with who it is. `slot` is the kernel's number for it. */
export interface Agent {
  readonly slot: number;
  readonly name: string;
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, string>>;
}
