/**
 * Settings that a client may change without asking: they alter how answers look or how long they may
 * take, never what is read, written or who runs it. Shared by the startup message and the analysis of
 * SET. Never holds a setting that changes how the server reads text (standard_conforming_strings,
 * backslash_quote), how names resolve (search_path), who runs (role) or what is visible (row_security).
 */

/** Lower-case names of parameters. `client_encoding` is judged by its value: see `isHarmlessEncoding`. */
export const HARMLESS_SETTINGS: ReadonlySet<string> = new Set([
  "application_name",
  "bytea_output",
  "client_min_messages",
  "datestyle",
  "default_transaction_deferrable",
  "default_transaction_isolation",
  "default_transaction_read_only",
  "extra_float_digits",
  "idle_in_transaction_session_timeout",
  "idle_session_timeout",
  "intervalstyle",
  "lc_monetary",
  "lc_numeric",
  "lc_time",
  "lock_timeout",
  "statement_timeout",
  "timezone",
  "transaction_timeout",
  "geqo",
  "jit",
  "work_mem",
  "synchronize_seqscans",
]);

/**
 * Whether the server may be told this client_encoding: only the encodings in which the parser and the
 * server read the same text. Compared as PostgreSQL does: letters and digits only, case ignored.
 */
export function isHarmlessEncoding(value: string): boolean {
  const plain = value.toLowerCase().replace(/[^a-z0-9]/g, "");
  return plain === "utf8" || plain === "unicode" || plain === "sqlascii";
}
