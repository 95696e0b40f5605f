/** The login machine's world: it sees the secret and the server, never the client. */
export interface Credential {
  readonly user: string;
  /** Absent for logins without one (trust, client certificate). Wiped by its owner after the login. */
  readonly password?: Uint8Array;
}

export interface LoginMachine {
  handle(event: LoginEvent): readonly LoginCommand[];
}

export type LoginEvent =
  | { readonly kind: "start" }
  | { readonly kind: "server"; readonly bytes: Uint8Array }
  /** The upstream side is encrypted; the DER bytes of the server's certificate, for channel binding. */
  | { readonly kind: "secured"; readonly certificate: Uint8Array }
  /** The key that `derive` asked for; the machine's own to wipe. */
  | { readonly kind: "derived"; readonly key: Uint8Array };

export type LoginCommand =
  | { readonly kind: "toServer"; readonly bytes: Uint8Array }
  | { readonly kind: "secure" }
  /** PBKDF2 with SHA-256, not on the thread that serves everybody. The password stays the machine's. */
  | { readonly kind: "derive"; readonly password: Uint8Array; readonly salt: Uint8Array; readonly iterations: number }
  /** `greeting` goes to the session; `unread` is what the server said after it. `cancel` stays with the daemon. */
  | { readonly kind: "done"; readonly greeting: unknown; readonly unread: Uint8Array; readonly cancel?: Uint8Array }
  /** `code` is stable (e.g. UPSTREAM_AUTH, UPSTREAM_TLS_REFUSED, or the server's SQLSTATE); no secret in `message`. */
  | { readonly kind: "failed"; readonly code: string; readonly message: string };
