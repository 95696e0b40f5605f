/** Registered backends, as settings and the vault describe them. */
import type { Address } from "./address.ts";

/** A registered backend as the data path sees it. Never holds a secret: those stay in the vault. */
export interface Connection {
  readonly name: string;
  readonly protocol: string;
  /** What agents dial. */
  readonly addresses: readonly Address[];
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
