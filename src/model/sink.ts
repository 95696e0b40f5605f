/** Where events go, as the settings say it. Secrets are references; certificates are paths. */

export interface EventSettings {
  /** "all" also tells what was allowed, one event an operation; recordings have that anyway. */
  readonly decisions: "refused" | "all";
  readonly outbox: {
    /** Events on disk that some sink has not taken yet. */
    readonly bytesMax: number;
    /** "stop": new operations are refused. "drop-oldest": the sink that is behind skips some, and an event counts them. */
    readonly whenFull: "stop" | "drop-oldest";
  };
  readonly sinks: readonly SinkSettings[];
}

export type SinkSettings = SinkCommon & SinkTarget;

export interface SinkCommon {
  readonly name: string;
  readonly format: "native" | "ocsf";
  /** Globs of kinds; empty: all. */
  readonly kinds: readonly string[];
}

export type SinkTarget = FileTarget | SyslogTarget | OtlpTarget | WebhookTarget;

export interface FileTarget {
  readonly kind: "file";
  readonly path: string;
  readonly bytesMax: number;
  /** Old files that are kept: PATH.1 is the newest of them. */
  readonly keep: number;
  /** Name or number of the group that may read; absent: nobody but the owner. */
  readonly group?: string;
}

export interface SyslogTarget {
  readonly kind: "syslog";
  readonly host: string;
  readonly port: number;
  /** "disable" is plain TCP. */
  readonly tls: SinkTls | "disable";
  /** Sent again after a broken connection. */
  readonly resendBytes: number;
}

export interface OtlpTarget {
  readonly kind: "otlp";
  readonly url: string;
  readonly encoding: "protobuf" | "json";
  readonly headers: readonly { readonly name: string; readonly value: SecretRef }[];
  readonly tls: SinkTls;
}

export interface WebhookTarget {
  readonly kind: "webhook";
  readonly url: string;
  /** Of the HMAC. */
  readonly key: SecretRef;
  readonly tls: SinkTls;
}

/** The server is always verified. Paths of PEM files. */
export interface SinkTls {
  /** In the server's certificate, instead of the host's. */
  readonly name?: string;
  /** Roots, instead of the system's. */
  readonly ca?: string;
  /** Of the client. */
  readonly certificate?: string;
  readonly key?: string;
}

export type SecretRef = { readonly file: string } | { readonly env: string } | { readonly systemd: string };

/** How far a sink has come. */
export interface SinkStatus {
  readonly name: string;
  readonly kind: string;
  readonly format: string;
  readonly state: "current" | "behind" | "failing";
  readonly delivered: number;
  /** Deliveries that failed and were, or will be, tried again; since the start of the daemon, as `lastError`. */
  readonly retried: number;
  /** Refused for good, and kept beside the cursor. */
  readonly deadLettered: number;
  /** Given up because the outbox was full. */
  readonly skipped: number;
  readonly behind: { readonly events: number; readonly bytes: number; readonly ageMs: number };
  /** Sent, and sent again if the connection breaks: syslog has no answers. */
  readonly unsettled: number;
  /** Up to here nothing is sent again; `checkpoint`: the newest signed one among it, 0 for none. */
  readonly acknowledged: { readonly seq: number; readonly hash: string; readonly checkpoint: number };
  readonly lastError?: { readonly atMs: number; readonly message: string };
}
