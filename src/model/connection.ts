/** A registered backend as the data path sees it. Never holds a secret: those stay in the vault. */
export interface Connection {
  readonly name: string;
  readonly protocol: string;
  /** "host:port", "192.0.2.1:5432", "[2001:db8::1]:5432", "10.0.0.0/8:5432". */
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly tls: UpstreamTls;
  readonly data: DataLabels;
}

export interface UpstreamTls {
  /**
   * `disable` never; `require` encrypts without verifying (a stated opt-out, logged in every session);
   * `verify-full` verifies chain and name. `prefer` is not offered: it can be stripped.
   */
  readonly mode: "disable" | "require" | "verify-full";
  /** Verified instead of the first address's name. */
  readonly name?: string;
  /** PEM text of the trusted roots; the system's when absent. */
  readonly ca?: string;
}

/** By "schema.table". Table labels do not inherit column labels. */
export type DataLabels = Readonly<Record<string, TableLabels>>;

export interface TableLabels {
  readonly labels: readonly string[];
  readonly columns: Readonly<Record<string, readonly string[]>>;
}
