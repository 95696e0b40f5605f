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
  /** How people sign in there who show nothing yet. */
  readonly signIn: readonly SignInWay[];
  /** Whether answers to held actions come in there as well. */
  readonly takesAnswers: boolean;
}

/** `code`: a browser on the person's own host. `device`: a browser anywhere. */
export type SignInWay = "code" | "device";
