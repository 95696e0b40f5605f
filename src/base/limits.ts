/** Every maximum of the program with its reason. A buffer, queue, map or wait without a line here is a defect. */

/** One read of a socket: large enough for a bulk row stream, small enough for hundreds of sessions. */
export const READ_BYTES = 64 * 1024;
/** 64 MiB: above the largest row that is masked, below what one peer may cost us. */
export const FRAME_BYTES_MAX = 64 * 1024 * 1024;
/** Bytes of one row, copy message or error text that masks look into: they block the thread for 0.3 µs a byte. The rest becomes NULL. */
export const MASKED_BYTES_MAX = 1024 * 1024;
/** Unfinished messages of all sessions together, beyond what each may hold anyway: agents may not use up the machine's memory. */
export const UNREAD_TOTAL_BYTES_MAX = 512 * 1024 * 1024;
/** Of them, one connection's: a server that holds its sessions amid a message leaves the others enough. */
export const UNREAD_CONNECTION_BYTES_MAX = 128 * 1024 * 1024;
/** What each session may hold unfinished without asking. */
export const UNREAD_FREE_BYTES = 256 * 1024;
/** What is read at once of a socket that has brought little so far, or whose bytes are much work. */
export const READ_BYTES_MIN = 4 * 1024;
/** Messages that wait for the end of a round of reads, at once and each: what is longer is worth a send of its own. */
export const ROUND_MESSAGES_MAX = 64;
export const ROUND_MESSAGE_BYTES_MAX = 4 * 1024;
/** A read that was at work for longer lets others have their turn before the next one of its socket; libuv would do 32 in a row. */
export const TURN_MS_MAX = 5;
/** A verification lets sessions have their turn after so much work: they are on the same thread, and it may take minutes. */
export const WORK_MS_MAX = 5;
/** A StartupMessage; PostgreSQL's own limit (MAX_STARTUP_PACKET_LENGTH). */
export const STARTUP_BYTES_MAX = 10_000;
/** A statement's text: hostile ones (lists of a hundred thousand constants) block the thread for 2 µs a byte. */
export const STATEMENT_BYTES_MAX = 256 * 1024;
/** Statements of one simple Query; each one is judged and recorded by itself. */
export const STATEMENTS_PER_QUERY_MAX = 1_000;
/** Prepared statements and portals of one session. */
export const PREPARED_MAX = 10_000;
/** Texts and parameters that these keep of one session: 10,000 statements of 1.6 KiB. */
export const PREPARED_BYTES_MAX = 16 * 1024 * 1024;
/** Answers that one session may await from its server before it stops reading the client. */
export const PIPELINE_MAX = 10_000;
/** Groups that a relay has to carry before it comes back, or else the session rests twice as often before the next try. */
export const RELAY_SHORT = 16;
export const RELAY_NEEDED_MAX = 1_024;
/** Forms of groups that a session keeps for a relay; the oldest makes room. Compared one after the other. */
export const FORMS_MAX = 32;
/** Bytes of a group, or of a description in its answer, from which a form is made. */
export const FORM_BYTES_MAX = 4 * 1024;
/** Analyses kept per process, by exact text and by literal-free shape: about 2 KiB each. */
export const ANALYSES_MAX = 4_096;
/** Pairs of a database and a user that sessions asked to reach: few but for who tries names, and those need nothing kept. */
export const ENTRANCES_MAX = 256;
export const ENTRANCES_CHARACTERS_MAX = 64 * 1024;
/** A text longer than this is analysed anew each time rather than kept. */
export const ANALYSIS_TEXT_MAX = 16 * 1024;
/** Bytes that may wait for a slow peer before the other side is no longer read. */
export const UNSENT_BYTES_MAX = 1024 * 1024;
/** Sessions at once; each costs about 200 KiB and two descriptors. */
export const SESSIONS_MAX = 4_096;
/** Of them, one agent's: it may not lock the others out. */
export const SESSIONS_PER_AGENT_MAX = 1_024;
/** Cancels of one session that wait for its server to hang up; each is a descriptor for LOOKUP_WAIT_MS at most. */
export const CANCELS_MAX = 4;
/** From accept until the client has said whom it wants; slow-loris guard. */
export const STARTUP_WAIT_MS = 10_000;
/** Dial, TLS and login upstream together. */
export const LOGIN_WAIT_MS = 15_000;
/** A server may leave UNSENT_BYTES_MAX waiting for so long: it may wait for a lock itself. TCP probes after as long. */
export const SERVER_STALL_MS = 7_200_000;
/** Facts from the backend's catalog. */
export const LOOKUP_WAIT_MS = 5_000;
/** All that a backend may answer to one lookup: CATALOG_RELATIONS_MAX with a KiB each, and room. */
export const LOOKUP_BYTES_MAX = 64 * 1024 * 1024;
/** One message of it: a relation with its columns, or the text of a view. */
export const LOOKUP_FRAME_BYTES_MAX = 4 * 1024 * 1024;
/** Columns of all these relations: 150 bytes each. */
export const CATALOG_COLUMNS_MAX = 1_000_000;
/** Columns of one result; PostgreSQL's own limit (MaxTupleAttributeNumber). More is a lie that would cost seconds to plan. */
export const COLUMNS_MAX = 1_664;
/** Columns of one answer whose masks are counted apart; each masked value searches the list. */
export const MASKED_COLUMNS_TOLD_MAX = 128;
/** Keys that are derived from passwords at once, on threads: half a second each at the dearest. One connection has one of them. */
export const DERIVATIONS_MAX = 2;
/** Keys derived from passwords that are kept for the next login, and for how long: they stand for the password. */
export const DERIVED_KEPT_MAX = 256;
export const DERIVED_KEPT_MS = 60_000;
/** Catalog facts older than this are fetched again before the next statement is judged. */
export const CATALOG_AGE_MS = 5_000;
/** Relations of interest (labelled, or derived from labelled) per database. */
export const CATALOG_RELATIONS_MAX = 50_000;
/** What a server may say before a login is done: parameters and notices are a few KiB. */
export const LOGIN_BYTES_MAX = 1024 * 1024;
/** When the daemon goes, what sessions are at may take this long; new clients wait meanwhile, so no longer than they have patience. */
export const DRAIN_WAIT_MS = 10_000;
/** Of it, for clients that have logged in and not asked anything yet: most ask at once, pools may never. */
export const DRAIN_FRESH_WAIT_MS = 1_000;
/** Silent for so long, a daemon is given up although a service manager holds its listeners: a drain, a watchdog and a start take less. */
export const SILENCE_HELD_MS = 30_000;
/** Listeners that the service manager holds: FileDescriptorStoreMax= in systemd/sallyport.service. */
export const HELD_DESCRIPTORS_MAX = 4_100;
/** What systemctl may take: the drain of the daemon that goes and the start of the next. */
export const SERVICE_WAIT_MS = 60_000;
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
/** Columns for which a session, or a policy, keeps its answers on how to mask them and what detectors find: about 1 KiB each. */
export const REVEALED_COLUMNS_MAX = 512;
/** Audit events that may wait for the index, and for the journal; more are counted as lost and the count is an event itself. */
export const EVENTS_QUEUED_MAX = 100_000;
/** Events that one write appends to the journal: some hundred KiB. */
export const JOURNAL_BATCH_MAX = 1_000;
/** One event as a line. Longer ones lose their longest texts; names and numbers are far below. */
export const EVENT_BYTES_MAX = 64 * 1024;
/** What is left of a text of an event that is too long as a whole. */
export const EVENT_TEXT_MAX = 512;
/** A file of the journal is closed at this size: small enough to verify and remove one by one. */
export const JOURNAL_FILE_BYTES = 16 * 1024 * 1024;
/** Lines of one file that a verifier looks at: a file of the smallest events has a tenth of it. */
export const JOURNAL_LINES_MAX = 1_000_000;
/** A journal that could not be written is tried again after this. */
export const JOURNAL_RETRY_MS = 1_000;
/** Events on disk that a sink has not taken yet, where the settings do not say. */
export const OUTBOX_BYTES = 1024 * 1024 * 1024;
/** Beyond an outbox that stops operations: room for what tells of that, and of what goes on. */
export const OUTBOX_RESERVE_BYTES = 16 * 1024 * 1024;
/** Sinks of one daemon; each reads the journal for itself. */
export const SINKS_MAX = 16;
/** Globs of one sink, and headers of one. */
export const SINK_KINDS_MAX = 64;
export const SINK_HEADERS_MAX = 16;
/** One batch to a sink: what receivers take in one request, and what is sent again when one fails. */
export const SINK_BATCH_EVENTS = 500;
export const SINK_BATCH_BYTES = 512 * 1024;
/** Dial, handshake and answer of one request to a sink. */
export const SINK_WAIT_MS = 30_000;
/** What is read of a sink's answer. */
export const SINK_ANSWER_BYTES_MAX = 64 * 1024;
/** Of a reason that a sink gives, which may be its receiver's own words. */
export const SINK_REASON_MAX = 500;
/** From the first failure of a sink to the longest pause between two tries. */
export const SINK_RETRY_FIRST_MS = 500;
export const SINK_RETRY_MAX_MS = 60_000;
/** The longest pause that a sink may ask for (Retry-After). */
export const SINK_RETRY_AFTER_MAX_MS = 300_000;
/** A sink's cursor is written at most this often while it is busy; what lies between is sent again after a crash. */
export const CURSOR_EVERY_MS = 200;
/** Events that a sink refused, kept in two files of this size each. */
export const DEAD_LETTER_BYTES_MAX = 32 * 1024 * 1024;
/** Of syslog, which answers nothing, so much is sent again after a broken connection: more than TCP's buffers of both sides hold. */
export const SYSLOG_RESEND_BYTES = 16 * 1024 * 1024;
/** What went out over a connection that is whole for so long counts as taken. */
export const SYSLOG_SETTLE_MS = 60_000;
/** Marks in what was sent and not settled; neighbours are joined beyond it. */
export const SYSLOG_MARKS_MAX = 1_024;
/** A syslog receiver that takes no byte for so long is dialled anew. */
export const SYSLOG_STALL_MS = 120_000;
/** A file sink is rotated at this size, and so many old files are kept, where the settings do not say. */
export const SINK_FILE_BYTES = 100 * 1024 * 1024;
export const SINK_FILES_KEPT = 5;
export const SINK_FILES_KEPT_MAX = 1_000;
/** Leaf certificates kept for TLS towards agents. */
export const LEAVES_MAX = 1_000;
/** A name in settings is resolved again after this at the latest, whatever its TTL. */
export const RESOLVE_EVERY_MS = 30_000;
/** Calls that may wait for the database; a caller beyond that is told so at once. */
export const DATABASE_WAITING_MAX = 10_000;
/** Rows of one listing. */
export const LISTED_ROWS_MAX = 10_000;
/** Records of one session that wait for its file: a full pipeline's answers, or a disk that is full. */
export const RECORD_PENDING_BYTES_MAX = 4 * 1024 * 1024;
/** One record in a file: the longest text and parameters in UTF-8, with room; what is longer is damage. */
export const RECORD_BYTES_MAX = 2 * 1024 * 1024;
/** Actions, and as many decisions, of a segment that others may name instead of having the same once more; and the longest. */
export const RECORDS_NAMED_MAX = 64;
export const RECORD_NAMED_BYTES_MAX = 4096;
/** Records that wait and name one in the file: they are packed again where they come to stand in another one. */
export const RECORDS_NAMING_MAX = 256;
/**
 * One block of a recording: all that may wait for one write, the record with which it passed the limit, and the MiB
 * that may be spelled out where it begins a segment.
 */
export const BLOCK_BYTES_MAX = RECORD_PENDING_BYTES_MAX + 2 * RECORD_BYTES_MAX;
/** A closed segment below this stays as it is: compressing it would cost more than it saves. */
export const ARCHIVE_BYTES_MIN = 64 * 1024;
/** Recordings that begin after this are sealed with a new data key. */
export const DATA_KEY_AGE_MS = 24 * 3_600_000;
/** Roots in one checkpoint: some 40 KiB, less than one event may have. */
export const CHECKPOINT_ROOTS_MAX = 250;
/** A checkpoint as a line of a sink: one event, in whatever a SIEM wraps around it. */
export const CHECKPOINT_LINE_MAX = 512 * 1024;
/** Findings of one verification that become events. */
export const EVIDENCE_TOLD_MAX = 100;
/** Recordings that one run of retention deletes; the rest waits for the next. */
export const RETENTION_DELETES_MAX = 10_000;
/** Retention looks for what is to go this often. */
export const RETENTION_EVERY_MS = 3_600_000;
/** Rules of retention: a class of connections each. */
export const RETENTION_RULES_MAX = 64;
/** Why a recording is kept, or a data key destroyed, as a person gives it. */
export const EVIDENCE_REASON_MAX = 1_024;
/** What a verifier unpacks of a bundle. */
export const BUNDLE_BYTES_MAX = 64 * 1024 * 1024 * 1024;
/** Lines between two checkpoints whose hashes a verifier keeps: what one interval can bring, with room. */
export const TRAIL_HASHES_MAX = 1_000_000;
/** What is recorded and told comes under a signature within this. */
export const CHECKPOINT_EVERY_MS = 10_000;
/** Closed segments that wait to be compressed: more stay as they are. */
export const ARCHIVE_WAITING_MAX = 10_000;
/** Chain heads of recordings that wait for a checkpoint; at most one checkpoint's interval of closed segments. */
export const ROOTS_WAITING_MAX = 100_000;
/** A text is cut to what is recorded plus this before detectors run: longer than any secret they know. */
export const RECORDED_MARGIN = 8 * 1024;
/** A secret in a file, the environment or the vault. */
export const SECRET_BYTES_MAX = 64 * 1024;
/** A record that no later operation carried to the file is written after this. */
export const RECORD_IDLE_MS = 500;
/** What the index shows of a session that runs may be this old: one row per busy session each time. */
export const SESSION_ROW_AGE_MS = 5_000;
/** Audit events wait this long for others before journal and store are written. */
export const EVENTS_WAIT_MS = 50;
/** Rows of sessions wait this long for others; whoever asks has them written first. A session that is over by then is one row. */
export const INDEX_WAIT_MS = 250;
/** Problems told at once for one settings file: a screen; more are counted. */
export const SETTINGS_PROBLEMS_MAX = 20;
/** Entries of one list in the settings: each becomes rows of a kernel map with 16 Ki places. */
export const SETTINGS_LIST_MAX = 1_024;
/** Addresses of one connection. */
export const CONNECTION_ADDRESSES_MAX = 64;
/** Matchers of one agent; of units, cgroups and users the kernel holds 64 of all agents together. */
export const MATCHERS_MAX = 64;
/** Nameservers: as many as resolv.conf(5) knows. */
export const NAME_SERVERS_MAX = 3;
/** Clients of the API at once: people, scripts and one `run` per job while it starts or ends. */
export const API_CONNECTIONS_MAX = 128;
/** From the first byte of an API request to its last; slow-loris guard. */
export const API_REQUEST_WAIT_MS = 10_000;
/** Request line and headers of the API; ours are under 1 KiB. */
export const API_HEADER_BYTES_MAX = 8 * 1024;
/** Watchers of events at once; each may have UNSENT_BYTES_MAX waiting before it is ended. */
export const API_WATCHERS_MAX = 32;
/** Of them, one user's who is not root: nobody may lock the others out. */
export const API_WATCHERS_PER_USER_MAX = 8;
/** Requests of one user or human: a CI host that starts 60 runs at once (3 each), then 6 a second. */
export const API_RATE_BURST = 200;
export const API_RATE_PER_SECOND = 20;
/** Of root: no script of a person comes near it, and the daemon stays free for its data path. */
export const API_ROOT_RATE_BURST = 2_000;
export const API_ROOT_RATE_PER_SECOND = 200;
/** Requests of one who is nobody: a person who mistypes, never a search for a session; each is an event. */
export const API_FAILURE_BURST = 10;
export const API_FAILURES_PER_SECOND = 0.2;
/** Of the sign-ins of one network over TLS, by who shows nothing yet: an office behind one address, where each asks thrice. */
export const API_SIGN_IN_BURST = 30;
export const API_SIGN_INS_PER_SECOND = 0.5;
/** Of all networks together, since who has many of IPv6 is another one each time: each is an event of some 500 bytes. */
export const API_NETWORKS_FAILURE_BURST = 100;
export const API_NETWORKS_FAILURES_PER_SECOND = 2;
export const API_NETWORKS_SIGN_IN_BURST = 300;
export const API_NETWORKS_SIGN_INS_PER_SECOND = 5;
/** Callers whose rate is known at once; the one who asked longest ago is forgotten. */
export const API_CALLERS_MAX = 1_024;
/** How often the command line waits because the daemon says so, and how long at most. */
export const API_RETRIES_MAX = 5;
export const API_RETRY_WAIT_MS = 30_000;
/** What the command line reads of one answer before it gives up. */
export const API_ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** What a listing returns at most, whatever is asked for. */
export const API_LIST_MAX = 1_000;
/** What the command line waits for the daemon: longer than a login upstream, shorter than patience. */
export const API_ANSWER_WAIT_MS = 60_000;
/** A PEM file of trusted roots that the command line reads: a system's whole bundle is 200 KiB. */
export const PEM_BYTES_MAX = 512 * 1024;
/** Tagged cgroups at once; each has a packet filter of its own. */
export const TAGS_MAX = 4_096;
/** Policy files of one folder. */
export const POLICY_FILES_MAX = 1_000;
/** Runs whose counts are kept after they ended, for their summary. */
export const RUNS_REMEMBERED_MAX = 1_000;
/** A run's summary waits this long for its last sessions to end. */
export const RUN_SETTLE_MS = 1_000;
/** A name's last addresses count this long while the resolver fails. */
export const RESOLVED_KEPT_MS = 600_000;
export const RESOLVED_NAMES_MAX = 10_000;
/** An agent is observed no longer than this; a week of looking is a rollout, a month is a habit. */
export const OBSERVE_MS_MAX = 30 * 86_400_000;
/** Why an agent was quarantined, in a person's words. */
export const QUARANTINE_REASON_MAX = 500;
/** One file or database page run of a container runtime: containers.json of thousands of containers is a few MiB. */
export const CONTAINER_FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Labels of one container, and a name or image: far above what runtimes and registries take. */
export const CONTAINER_LABELS_MAX = 10_000;
export const CONTAINER_TEXT_MAX = 4_096;
/** Pages on the way to one key of podman's database: its tree is four deep. */
export const BOLT_STEPS_MAX = 64;
/** Reads of podman's database that a commit came between; commits are milliseconds apart at the worst. */
export const BOLT_TRIES_MAX = 20;
/** How long podman's database may be locked by a writer. */
export const RUNTIME_BUSY_MS = 2_000;
/** Cgroups that one walk of the tree looks at, and how deep: a busy host has thousands, tags end at level 15. */
export const CGROUPS_SEEN_MAX = 65_536;
export const CGROUP_LEVELS_SEEN_MAX = 16;
/** Folders watched for new containers: each pod is one. */
export const CGROUPS_WATCHED_MAX = 2_048;
/** Processes of one tag that are looked at; the kernel guards all of them. */
export const PROCESSES_LOOKED_AT_MAX = 10_000;
/** Process ids that a listing shows of one tag; their number is told in full. */
export const PIDS_LISTED_MAX = 100;
/** Records of one DNS answer: the longest alias chains and largest pools have a few dozen. */
export const NAME_RECORDS_MAX = 64;
/** Addresses that were learned from answers, of all agents and of one; the kernel's table has 32,768 rows for them and the settings. */
export const LEARNED_MAX = 8_192;
export const LEARNED_PER_AGENT_MAX = 1_024;
/** Rows for the kernel: what its table holds. */
export const DESTINATION_ROWS_MAX = 32_768;
/** A learned address is kept at least this long, since clients dial a moment after they asked, and at most an hour. */
export const LEARNED_MIN_MS = 30_000;
export const LEARNED_MAX_MS = 3_600_000;
/** Kept beyond what the client was told: it began to count later than we did. */
export const LEARNED_GRACE_MS = 5_000;
/** Questions that wait for a nameserver, of all agents and of one. */
export const NAMES_WAITING_MAX = 1_024;
export const NAMES_WAITING_PER_AGENT_MAX = 128;
/** Questions of one agent that go upstream: this many at once, then so many a second. Bounds what names can carry out. */
export const NAMES_BURST_MAX = 500;
export const NAMES_PER_SECOND_MAX = 50;
/** One try at one nameserver, over UDP and over TCP; then the next one. */
export const NAMES_DATAGRAM_WAIT_MS = 1_200;
export const NAMES_STREAM_WAIT_MS = 2_000;
/** All tries together: shorter than the 5 s after which C libraries ask again. */
export const NAMES_WAIT_MS = 4_500;
/** Answers kept, each for its TTL and at most LEARNED_MAX_MS; one that says "no" for NAMES_NEGATIVE_MS. */
export const NAMES_CACHED_MAX = 4_096;
export const NAMES_NEGATIVE_MS = 5_000;
/** Connections for DNS over TCP, of all agents and of one, the time they may idle, and the questions on one. */
export const NAMES_STREAMS_MAX = 256;
export const NAMES_STREAMS_PER_AGENT_MAX = 32;
export const NAMES_STREAM_IDLE_MS = 10_000;
export const NAMES_PER_STREAM_MAX = 200;
/** A question with EDNS and a cookie has a few hundred bytes; an answer over TCP at most 64 KiB. */
export const NAMES_QUERY_BYTES_MAX = 1_232;
export const NAMES_ANSWER_BYTES_MAX = 65_535;
/** The same refused name of the same agent is told once in this time, and of one agent so many; the trail stays readable. */
export const NAMES_TOLD_MS = 10_000;
export const NAMES_TOLD_PER_AGENT_MAX = 200;
/** Refused connects told one by one, of one agent in this time: a loop of them makes 15,000 a second, 10 MB on the disk. */
export const REFUSALS_TOLD_MS = 10_000;
export const REFUSALS_TOLD_PER_AGENT_MAX = 1_000;
/** Of what was told, this much is remembered. */
export const NAMES_TOLD_MAX = 4_096;
/** One question to the host's name services for a user: it holds the daemon's thread. */
export const USER_LOOKUP_WAIT_MS = 2_000;
/** Connections that may wait for accept in one namespace; beyond it a client sends its SYN again. */
export const ACCEPT_QUEUE_MAX = 4_096;
/** Network namespaces with listeners: five descriptors each, and a row of a kernel map with 4,096 places. */
export const NAMESPACES_MAX = 1_024;
/** Of them, one tag's: an agent that makes namespaces may not lock the others out. */
export const NAMESPACES_PER_TAG_MAX = 256;
/** A namespace in which no agent was seen keeps its listeners this long: a new process may be on its way in. */
export const NAMESPACE_GRACE_MS = 3_000;
/** A namespace that has no listeners is tried again for a refused connect after this. */
export const NAMESPACE_RETRY_MS = 200;
/** Threads of one process that are looked at for the namespace a connect came from. */
export const THREADS_LOOKED_AT_MAX = 256;
/** Name queries by UDP of one socket that wait for their answer; a client asks again after seconds. */
export const QUERIES_WAITING_MAX = 1_024;
/** An answer that comes later is no use: resolvers of clients wait five seconds and ask again once. */
export const QUERY_ANSWER_WAIT_MS = 10_000;
/** Without a sign of life for this long, redirects fail at once: a daemon that is stopped accepts nothing. */
export const SILENCE_MAX_MS = 5_000;
/** A sign of life is given this often. */
export const PULSE_EVERY_MS = 1_000;
/** Cgroups below one tag that are looked through for their processes. */
export const CGROUP_TREE_MAX = 4_096;
/** /etc/hosts and resolv.conf are looked at again after this; block lists in hosts files reach a few MiB. */
export const HOST_FILE_AGE_MS = 1_000;
export const HOST_FILE_BYTES_MAX = 8 * 1024 * 1024;
/** Mount namespaces of commands that `run` started with privileges, from which doors to Unix sockets lead. */
export const RUN_MOUNTS_HELD_MAX = 256;
/** Warnings of automatic tagging that are not said twice. */
export const WARNINGS_KEPT_MAX = 1_000;
/** How long an action waits for an answer where its rule does not say, and at most. */
export const HOLD_MS = 600_000;
export const HOLD_MS_MAX = 86_400_000;
/** For how long an approver may let a shape pass again, at most. */
export const REUSE_MS_MAX = 86_400_000;
/** Distinct humans that one rule may ask for, and groups that it may name. */
export const QUORUM_MAX = 10;
export const APPROVERS_MAX = 32;
/** What a client may send while an action of its session is held: then it is no longer read. */
export const HELD_BYTES_MAX = 256 * 1024;
/** Actions that wait for an answer at once, and of one agent. */
export const HOLDS_MAX = 1_024;
export const HOLDS_PER_AGENT_MAX = 512;
/** Texts of a held ask with their parameters: a reviewer sees all of them, or it is denied. 1,024 of these are 32 MiB. */
export const HOLD_TEXT_MAX = 32 * 1024;
/** What a statement and a parameter cost at least of that, so that many empty ones do not come for nothing. */
export const HOLD_STATEMENT_COST = 64;
export const HOLD_PARAMETER_COST = 8;
/** Tables that a listing names of one hold; its statements name all of them. */
export const HOLD_TABLES_MAX = 200;
/** Bytes that would be forwarded: of one hold, and of all that wait. They lie in memory until somebody answers. */
export const HOLD_BYTES_MAX = 1024 * 1024;
export const HOLDS_BYTES_MAX = 128 * 1024 * 1024;
/** One parameter as a reviewer sees it; what is cut is marked, and the digest covers all of it. */
export const HOLD_PARAMETER_MAX = 1_024;
/** What a reviewer may write to an answer. */
export const HOLD_COMMENT_MAX = 500;
/** Holds that are remembered after their end, newest first. */
export const HOLDS_KEPT_MAX = 10_000;
/** So many may end before the oldest are forgotten. */
export const HOLDS_PRUNED_EVERY = 1_000;
/** Earlier holds of the same shape that a reviewer is shown. */
export const HOLDS_SIMILAR_MAX = 5;
/** Approvals that stand for a time, at once; each is a hash and who gave it. */
export const STANDING_APPROVALS_MAX = 1_024;
/** Processes from the one that connected up to its agent's cgroup. */
export const PROCESS_TREE_MAX = 32;
/** Row estimates that are asked of backends at once: each is a login of our own. */
export const ESTIMATES_MAX = 4;
/** What one estimate may answer: a plan of some thousand nodes. */
export const ESTIMATE_BYTES_MAX = 1024 * 1024;
/** The groups of a user count for so long, so that a burst of answers asks the host's name services once. */
export const GROUPS_KEPT_MS = 1_000;
export const GROUPS_KEPT_MAX = 1_000;
/** The longest window of a limit, and the most that one may count: beyond it nobody means a limit. */
export const LIMIT_WINDOW_MS_MAX = 86_400_000;
export const LIMIT_COUNT_MAX = 1_000_000_000_000;
/** Counters of limits, one for each rule, agent and connection: 1.5 KiB each. */
export const LIMIT_COUNTERS_MAX = 4_096;
/** Parts of a window: what was counted leaves it in so many steps. */
export const LIMIT_STEPS = 60;
/** Cases of one test file of a policy: more are several files. */
export const POLICY_CASES_MAX = 2_000;
/** Values of one fact that a suggested rule names, and rules that are suggested: nobody reviews more. */
export const SUGGESTED_VALUES_MAX = 64;
export const SUGGESTED_RULES_MAX = 500;
/** Values of one label of a metric: every connection, rule or kind of event that anybody has; more are counted as "other". */
export const METRIC_LABEL_VALUES_MAX = 1_000;
/** Asks of one session whose answer's time is taken at once; more are served, and not timed. */
export const METERED_ASKS_MAX = 1_024;
/** Event-loop delays are told of windows of this length: what a Prometheus server asks in, unless it was told. */
export const LOOP_WINDOW_MS = 15_000;
/** Clients of the metrics endpoint at once, and the time one may take: a pair of Prometheus servers and a person. */
export const METRICS_CONNECTIONS_MAX = 16;
export const METRICS_REQUEST_WAIT_MS = 5_000;
/** Room that the disk must have before a database is opened: eight times the file that SQLite maps beside it. */
export const STORE_ROOM_BYTES_MIN = 256 * 1024;
/** A database up to this size is checked whole before it is used: about a second. Damage of a larger one is met in use. */
export const STORE_CHECKED_BYTES_MAX = 256 * 1024 * 1024;
/** Of an answer's rows that a recording keeps: what settings may ask for, one row, and one entry of the file. */
export const OUTPUT_ROWS_MAX = 100_000;
export const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
export const OUTPUT_ROW_BYTES_MAX = 512 * 1024;
export const OUTPUT_ENTRY_BYTES = 64 * 1024;
/** A row or a message of a copy that nothing masks is searched up to this, so that counting holds no more of it back. */
export const WATCHED_BYTES_MAX = 256 * 1024;
/** A search query, and the words and terms in it: nobody types more. */
export const SEARCH_QUERY_MAX = 2_048;
export const SEARCH_TERMS_MAX = 32;
/** Values that one wildcard may stand for. */
export const SEARCH_VALUES_MAX = 1_000;
/** One search: whoever asks for too much is told so instead of waiting. */
export const SEARCH_WAIT_MS = 10_000;
/** Searches that wait for the index at once. */
export const SEARCHES_WAITING_MAX = 16;
/** What a search may spend on bringing the index up to now before it answers. */
export const SEARCH_CATCH_UP_MS = 1_500;
/** Of one segment of a recording: rows of the index, different texts of the same facts, and what is kept of a text. */
export const SEARCH_ROWS_PER_SEGMENT_MAX = 4_000;
export const SEARCH_TEXTS_PER_SHAPE_MAX = 20;
export const SEARCH_TEXT_MAX = 1_024;
/** Facts of one row that stands for many different ones. */
export const SEARCH_FACETS_MAX = 256;
/** Operations without their answer that are carried from one segment to the next. */
export const SEARCH_PENDING_MAX = 1_000;
export const SEARCH_CARRY_BYTES_MAX = 256 * 1024;
/** Sessions that the indexer knows of and has not finished; those behind them wait in the store. */
export const SEARCH_SESSIONS_MAX = 10_000;
/** Events, and rows of the index, that are written at once. */
export const SEARCH_BATCH_ROWS = 1_000;
/** The indexer's heap: a segment decoded, and its rows. What is young is kept small, or it is most of what the process takes. */
export const SEARCH_HEAP_MB_MAX = 96;
export const SEARCH_YOUNG_HEAP_MB_MAX = 6;
/** What the index may need to end in order; then it is ended. */
export const SEARCH_CLOSE_MS = 5_000;
/** How often the indexer looks for something new, and how often into segments that are still written. */
export const SEARCH_LOOK_MS = 2_000;
export const SEARCH_OPEN_LOOK_MS = 30_000;
/** Words of the index that are remembered by the indexer, so that facts of every row are not looked up anew. */
export const SEARCH_WORDS_KEPT_MAX = 20_000;
/** Records of a recording that are read before other work of the daemon gets its turn. */
export const REPLAY_RECORDS_AT_ONCE = 128;
/** Whoever follows a session that runs sees what is new after this; and after so many times what reading it took. */
export const FOLLOW_EVERY_MS = 500;
export const FOLLOW_REST = 4;
/** Issuers of tokens in the settings: every CI, cluster and identity provider of one host. */
export const ISSUERS_MAX = 64;
/** Claims and agents that one issuer names, and entries of its mapping of groups. */
export const ISSUER_ENTRIES_MAX = 64;
/** A token: the largest that identity providers give have some hundred groups in them; headers of HTTP end here too. */
export const TOKEN_BYTES_MAX = 16 * 1024;
/** A SAML response in base64: it has its certificate in it, and may have some hundred groups. What the API takes as a token. */
export const SAML_BYTES_MAX = 64 * 1024;
/** What a browser posts of it: a form may write each character as three (%2B), and names the sign-in beside it. */
export const SAML_POST_BYTES_MAX = 3 * SAML_BYTES_MAX + 4 * 1024;
/** Elements within each other; usual responses have 10. */
export const XML_DEPTH_MAX = 32;
/** Brackets in brackets of a token or a chat's answer: ten or so are used, and readers give up at some hundred. */
export const STRICT_JSON_DEPTH_MAX = 100;
/** Elements, attributes and texts: 400 groups. Verifying blocks the thread for some 0.05 ms for each, signature and certificate. */
export const XML_NODES_MAX = 1_024;
/** Certificates of one identity provider: the one in use and the next, of two servers. Each may be tried. */
export const SAML_CERTIFICATES_MAX = 4;
/** Groups, and the length of one claim, that an identity takes from a token: both become facts of every decision. */
export const TOKEN_GROUPS_MAX = 64;
export const TOKEN_CLAIM_MAX = 1_024;
/** An identity lasts no longer than a long working day, whatever its token or the settings say. */
export const IDENTITY_MS_MAX = 12 * 60 * 60_000;
/** How often identities are looked through for those that are over: a part of the second within which sessions end. */
export const IDENTITY_EVERY_MS = 250;
/** Tokens that are remembered until they expire, so that none is shown twice: a busy runner's for a week. */
export const TOKENS_BOUND_MAX = 100_000;
/** Clocks of issuers may differ by this much, if the settings say so. */
export const CLOCK_SKEW_MS_MAX = 5 * 60_000;
/** An issuer's answers: documents have a few KiB, key sets some more. */
export const ISSUER_ANSWER_BYTES_MAX = 256 * 1024;
export const ISSUER_KEYS_MAX = 100;
/** One answer of an issuer; whoever shows a token waits for two of them at most. */
export const ISSUER_WAIT_MS = 5_000;
/** Keys are fetched anew when they are older, so that a withdrawn one is not taken for longer. */
export const ISSUER_KEYS_FRESH_MS = 10 * 60_000;
/** While their issuer does not answer, keys are used for so long after they were fetched. */
export const ISSUER_KEYS_KEPT_MS = 60 * 60_000;
/** Between two questions to one issuer, so that tokens with invented keys do not become a flood of them. */
export const ISSUER_ASK_EVERY_MS = 10_000;
/** Targets that are told of held actions: every channel of one host's teams. */
export const NOTIFY_TARGETS_MAX = 16;
/** Accounts of one target that are mapped to a user: a large department. */
export const NOTIFY_ACCOUNTS_MAX = 1_000;
/** Messages that wait for one target: as many as actions may wait; the oldest is given up for the newest. */
export const NOTIFY_QUEUED_MAX = 1_024;
/** One try: dial, handshake and answer. */
export const NOTIFY_WAIT_MS = 10_000;
/** What tells of an end is given up after this: news, not history; the trail has it anyway. */
export const NOTIFY_KEPT_MS = 15 * 60_000;
/** What a target lost, and what it would not take, is told at most this often. */
export const NOTIFY_TOLD_MS = 60_000;
/** Answers that are refused, told one by one within that time; more are counted. */
export const NOTIFY_REFUSALS_TOLD_MAX = 60;
/** Characters of statements in a chat's message: Slack takes 3,000 in a block. What does not fit is not answered there. */
export const NOTIFY_TEXT_MAX = 2_800;
/** Lines of them: a card of Teams takes 28 KB, and each line is some 100 bytes of it beside its text. */
export const NOTIFY_LINES_MAX = 100;
/** Characters of any other value in it: names of tables are the agent's to choose. Slack takes 2,000 in a field. */
export const NOTIFY_VALUE_MAX = 1_500;
/** An answer that comes in: Slack sends the whole message along with the press of a button. */
export const NOTIFY_BODY_BYTES_MAX = 64 * 1024;
/** Connections to where answers come in, the slowest giving way, and the time one request may take: a proxy stands before it. */
export const NOTIFY_CONNECTIONS_MAX = 64;
export const NOTIFY_REQUEST_WAIT_MS = 5_000;
/** Refusals that are being told to who pressed a button, each for NOTIFY_WAIT_MS at most; more are in the trail alone. */
export const NOTIFY_REPLIES_MAX = 16;
/** By how much the time of an answer may differ from ours: what Slack and Standard Webhooks say. */
export const NOTIFY_SKEW_MS = 5 * 60_000;
/** Answers that are remembered, so that none counts twice; each while its time would still be good. */
export const NOTIFY_REPLAYS_MAX = 10_000;
/** Signatures on one answer: a sender that changes its key signs with both. */
export const NOTIFY_SIGNATURES_MAX = 8;
/** Grants in the settings, and names that one of them lists: each is asked for every tagged cgroup four times a second. */
export const GRANTS_MAX = 256;
export const GRANT_ENTRIES_MAX = 256;
/** How often it is looked whose grant is over: a part of the second within which sessions end. */
export const GRANTS_EVERY_MS = 250;
/** How soon a relay hears that the audit trail is full: what it carries is told nobody, and denied then. */
export const RELAYS_EVERY_MS = 250;
/** How long a grant of the settings lasts: a service that runs for ever is granted anew once a year. */
export const GRANT_MS_MAX = 365 * 86_400_000;
/** Grants by people that stand at once, and those that have ended and are still listed. */
export const GRANTS_GIVEN_MAX = 1_000;
export const GRANTS_ENDED_KEPT_MAX = 1_000;
/** What somebody is given for longer belongs into the settings. */
export const GRANT_GIVEN_MS_MAX = 30 * 86_400_000;
/** Why a grant was given or ended, or an agent revoked, in a person's words. */
export const GRANT_REASON_MAX = 500;
/** Of a session that lost its grant or identity: its client may not have taken its farewell by then, and is cut off. */
export const EXPEL_WAIT_MS = 500;
/** Issuers at which humans sign in, and groups that have one role. */
export const LOGINS_MAX = 16;
export const ROLE_GROUPS_MAX = 64;
/** Humans whom the settings name, and accounts of one: each Unix user that is not in passwd(5) is one question to getent(1). */
export const HUMANS_NAMED_MAX = 1_000;
export const HUMAN_ACCOUNTS_MAX = 32;
/** A human's session ends unused after a quarter of an hour, and after a long working day in any case. */
export const HUMAN_IDLE_MS = 15 * 60_000;
export const HUMAN_SESSION_MS = 12 * 60 * 60_000;
/** Sessions of humans at once, and of one. */
export const HUMAN_SESSIONS_MAX = 10_000;
export const HUMAN_SESSIONS_EACH_MAX = 20;
/** While an issuer that gave a refresh token does not answer, its sessions go on for so long. */
export const HUMAN_UNREFRESHED_MS = 60 * 60_000;
/** When a session was used last is kept this often: a restart may make it this much younger, never older. */
export const HUMAN_USED_EVERY_MS = 60_000;
/** Humans and their Unix accounts that are remembered, and for how long after they were seen last. */
export const HUMANS_KNOWN_MAX = 10_000;
export const HUMAN_SEEN_MS = 30 * 86_400_000;
/** Groups of one human: directories of large firms reach some hundred. */
export const HUMAN_GROUPS_MAX = 1_000;
/**
 * Sign-ins that have begun, and of one user or network: each waits for a person in front of a browser. Of all who show nothing:
 * the issuer is asked every 5 s what became of a device code, and must not take us for a flood.
 */
export const SIGN_INS_MAX = 256;
export const SIGN_INS_EACH_MAX = 8;
export const SIGN_INS_STRANGERS_MAX = 64;
export const SIGN_IN_MS = 10 * 60_000;
/** One look whether a device was let in; the caller asks again. Below what the command line waits for an answer. */
export const DEVICE_WAIT_MS = 20_000;
/** What an issuer says of itself is asked for anew after so long. */
export const LOGIN_FRESH_MS = 10 * 60_000;
/** API tokens: of one human, of all, and how long one may live. */
export const API_TOKENS_EACH_MAX = 20;
export const API_TOKENS_MAX = 10_000;
export const API_TOKEN_MS_MAX = 90 * 86_400_000;
/** Breaking the glass gives a quarter of an hour, and is kept for those who review it; of reviewed ones the last 1,000. */
export const BREAK_GLASS_MS = 15 * 60_000;
export const BREAK_GLASS_KEPT_MAX = 1_000;
/** Those that wait for a review, of one human and of all: whoever makes more has none read, and must not keep others from it. */
export const BREAK_GLASS_EACH_MAX = 20;
export const BREAK_GLASS_WAITING_MAX = 1_000;
/** Why somebody broke the glass, and what their reviewer says: a few sentences. */
export const BREAK_GLASS_REASON_MAX = 500;
/** Delegations of approvals that stand at once: of one lender (a handful of groups to a few deputies), of all, and those that have ended and are listed. */
export const DELEGATIONS_EACH_MAX = 20;
export const DELEGATIONS_MAX = 1_000;
export const DELEGATIONS_ENDED_KEPT_MAX = 1_000;
/** The longest absence that one covers; whoever is away for longer hands over their group itself. */
export const DELEGATION_MS_MAX = 30 * 86_400_000;
/** Why somebody lent it, in their words. */
export const DELEGATION_REASON_MAX = 500;
/** How often sessions of humans are looked through for those that are over; each is judged by itself when it is used. */
export const HUMANS_EVERY_MS = 5_000;
/** How often users of this host whom `humans` names are looked up anew. */
export const USERS_EVERY_MS = 60_000;
/** Numbers that were one user's, one after the other: each counts for HUMAN_SEEN_MS more. */
export const USER_NUMBERS_MAX = 8;
/** Accounts of those who tagged one cgroup, one after the other. */
export const STARTERS_MAX = 64;
/** Connections of a browser to the page that ends a sign-in: one brings the code, some ask for an icon. */
export const LOOPBACK_CONNECTIONS_MAX = 16;
