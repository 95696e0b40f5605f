/** Where the API is served over TLS, as the settings say it. */
import type { SecretRef } from "./sink.ts";

export interface ApiListener {
  readonly address: string;
  readonly port: number;
  /** Path of a PEM file: the server's certificate, then those that it hangs on. */
  readonly certificate: string;
  readonly key: SecretRef;
  /** By which clients may name this host, besides the address. */
  readonly names: readonly string[];
}
