/** Every maximum of the program with its reason. A buffer, queue, map or wait without a line here is a defect. */

/** One read of a socket: large enough for a bulk row stream, small enough for hundreds of sessions. */
export const READ_BYTES = 64 * 1024;
/** 64 MiB: above the largest row that is masked, below what one peer may cost us. */
export const FRAME_BYTES_MAX = 64 * 1024 * 1024;
/** A StartupMessage; PostgreSQL's own limit (MAX_STARTUP_PACKET_LENGTH). */
export const STARTUP_BYTES_MAX = 10_000;
/** A statement's text: the parser needs 40 ms a megabyte and blocks the thread for it. */
export const STATEMENT_BYTES_MAX = 1024 * 1024;
/** Statements of one simple Query; each one is judged and recorded by itself. */
export const STATEMENTS_PER_QUERY_MAX = 1_000;
/** Prepared statements and portals of one session. */
export const PREPARED_MAX = 10_000;
/** Answers that one session may await from its server before it stops reading the client. */
export const PIPELINE_MAX = 10_000;
/** Analyses kept per process, by exact text and by literal-free shape: about 2 KiB each. */
export const ANALYSES_MAX = 4_096;
/** A text longer than this is analysed anew each time rather than kept. */
export const ANALYSIS_TEXT_MAX = 16 * 1024;
/** Bytes that may wait for a slow peer before the other side is no longer read. */
export const UNSENT_BYTES_MAX = 1024 * 1024;
/** Sessions at once; each costs about 200 KiB and two descriptors. */
export const SESSIONS_MAX = 4_096;
/** From accept until the client has said whom it wants; slow-loris guard. */
export const STARTUP_WAIT_MS = 10_000;
/** Dial, TLS and login upstream together. */
export const LOGIN_WAIT_MS = 15_000;
/** Facts from the backend's catalog. */
export const LOOKUP_WAIT_MS = 5_000;
/** Catalog facts older than this are fetched again before the next statement is judged. */
export const CATALOG_AGE_MS = 5_000;
/** Relations of interest (labelled, or derived from labelled) per database. */
export const CATALOG_RELATIONS_MAX = 50_000;
/** Time for a session to say its protocol's farewell when it is stopped. */
export const FAREWELL_WAIT_MS = 1_000;
/** An origin that nobody claimed: the accept queue holds a connection no longer than this. */
export const ORIGIN_AGE_MS = 60_000;
/** A segment of a recording is closed at this size or age. */
export const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;
export const SEGMENT_AGE_MS = 60_000;
/** A text kept in a recording (statement, error): longer ones are cut and marked. */
export const RECORDED_TEXT_MAX = 64 * 1024;
/** Body of one API request. */
export const API_BODY_BYTES_MAX = 1024 * 1024;
/** Settings and policy files. */
export const SETTINGS_BYTES_MAX = 1024 * 1024;
export const POLICY_RULES_MAX = 10_000;
/** Evaluation budget of one condition: elements that a macro may visit. */
export const CONDITION_STEPS_MAX = 100_000;
/** Audit events that may wait for the index; more are counted as lost and the count is an event itself. */
export const EVENTS_QUEUED_MAX = 100_000;
/** Leaf certificates kept for TLS towards agents. */
export const LEAVES_MAX = 1_000;
/** A name in settings is resolved again after this at the latest, whatever its TTL. */
export const RESOLVE_EVERY_MS = 30_000;
