/** Servers that misbehave before the login is over. Rows only. */
import { int32, message, server } from "../kit/wire.ts";
import type { HostileOptions, Serve, Visit } from "./hostile.ts";
import { authentication, behave, LENGTHS, LOGIN_TIME, lying, type QuickRow, quick, type Row } from "./row.ts";
import type { ScramTricks } from "./scram-server.ts";

const CLOSED = { kind: "refused", sqlState: "08006", code: "UPSTREAM_CLOSED" } as const;
const LATE = { ...CLOSED, code: "UPSTREAM_TIMEOUT" } as const;
const CONFUSED = { kind: "refused", sqlState: "08006", code: "UPSTREAM_PROTOCOL" } as const;
const UNPROVEN = { kind: "refused", sqlState: "28000", code: "UPSTREAM_SCRAM" } as const;
const WEAK = { kind: "refused", sqlState: "28000", code: "UPSTREAM_AUTH_WEAK" } as const;
const NO_TLS = { kind: "refused", sqlState: "08006", code: "UPSTREAM_TLS_REFUSED" } as const;
const UNTRUSTED = { kind: "refused", sqlState: "08006", code: "UPSTREAM_TLS" } as const;
const BROKEN_FRAME = { kind: "refused", sqlState: "08006", code: "FRAME_LENGTH" } as const;
const ANSWERED = { kind: "answered", rows: 1 } as const;

/** Where in a login a server can stop. Each leads there. */
const STAGES: Readonly<Record<string, Serve>> = {
  "after the startup": (visit) => visit.startup(),
  "after offering SCRAM": async (visit) => {
    await visit.startup();
    await visit.scramBegin();
  },
  "amid SCRAM": async (visit) => {
    await visit.startup();
    await visit.scramBegin();
    await visit.send(server.saslContinue(visit.scramFirst()));
    await visit.hear("p");
  },
  "after its own proof": async (visit) => {
    await visit.startup();
    await visit.scram();
  },
  "after AuthenticationOk": async (visit) => {
    await visit.startup();
    await visit.scram();
    await visit.send(server.authenticationOk());
  },
  "amid a message": async (visit) => {
    await visit.startup();
    await visit.send(server.sasl("SCRAM-SHA-256").subarray(0, 11));
  },
};

const then = (stage: Serve, does: (visit: Visit) => unknown): Serve => {
  return async (visit) => {
    await stage(visit);
    await does(visit);
  };
};
const stages = Object.entries(STAGES);

/** LOGIN_WAIT_MS ends these; they are waited for together. */
const HOLES: readonly QuickRow[] = [
  { name: "never answers the request for TLS", tls: "require", serve: (visit) => visit.sslRequest(), ends: LATE },
  {
    name: "grants TLS and never begins it",
    tls: "require",
    serve: async (visit) => {
      await visit.sslRequest();
      await visit.send(Buffer.from("S"));
    },
    ends: LATE,
  },
  ...stages.map(([stage, serve]): QuickRow => ({ name: `is silent ${stage}`, serve, ends: LATE })),
  {
    name: "drips its login, a byte each half second",
    serve: async (visit) => {
      await visit.startup();
      await visit.drip(server.sasl("SCRAM-SHA-256", "X".repeat(100)), 500);
    },
    ends: LATE,
  },
];
export const LOGIN_HOLES: readonly Row[] = HOLES.map((row) => ({ ...row, withinMs: LOGIN_TIME }));

const EARLY_ENDS: readonly QuickRow[] = [
  { name: "closes at once", serve: async (visit) => visit.fin(), ends: CLOSED },
  {
    name: "resets at once",
    serve: async (visit) => visit.reset(),
    ends: { ...CLOSED, orCode: "UPSTREAM_UNREACHABLE" },
  },
  {
    name: "closes instead of TLS",
    tls: "require",
    serve: then(
      (visit) => visit.sslRequest(),
      (visit) => visit.fin(),
    ),
    ends: CLOSED,
  },
  {
    name: "closes after granting TLS",
    tls: "require",
    serve: async (visit) => {
      await visit.sslRequest();
      await visit.send(Buffer.from("S"));
      visit.fin();
    },
    ends: UNTRUSTED,
  },
  ...stages.flatMap(([stage, serve]): readonly QuickRow[] => [
    { name: `sends FIN ${stage}`, serve: then(serve, (visit) => visit.fin()), ends: CLOSED },
    { name: `sends RST ${stage}`, serve: then(serve, (visit) => visit.reset()), ends: CLOSED },
  ]),
];

const saying = (...parts: readonly Uint8Array[]): Serve =>
  then(
    (visit) => visit.startup(),
    (visit) => visit.send(Buffer.concat(parts)),
  );
/** After a correct proof: what only the greeting may hold. */
const greeting = (...parts: readonly Uint8Array[]): Serve =>
  then(STAGES["after its own proof"] as Serve, (visit) => visit.send(Buffer.concat(parts)));
const PARAMETERS = [server.parameter("client_encoding", "UTF8"), server.parameter("standard_conforming_strings", "on")];
const OK = server.authenticationOk();
const KEY = server.keyData(Buffer.from("pid.key."));

const LIES: readonly QuickRow[] = [
  ...LENGTHS.map(
    ([what, length]): QuickRow => ({
      name: `sends a login message with a length ${what}`,
      serve: saying(lying("R", length, Buffer.alloc(16))),
      ends: BROKEN_FRAME,
    }),
  ),
  {
    name: "sends a login message of 65 KiB",
    serve: saying(lying("S", 65 * 1024, Buffer.alloc(65 * 1024))),
    ends: BROKEN_FRAME,
  },
  { name: "sends an authentication without its code", serve: saying(lying("R", 4)), ends: CONFUSED },
  {
    name: "sends an authentication that swallows the next message",
    serve: saying(lying("R", 60, OK), Buffer.alloc(60)),
    ends: CONFUSED,
  },
  {
    name: "sends an error without an end",
    serve: saying(message("E", Buffer.from("SFATAL\0Mno"))),
    ends: { ...CONFUSED, code: "FRAME_BODY" },
  },
  { name: "sends an error with nothing in it", serve: saying(message("E")), ends: { ...CONFUSED, code: "FRAME_BODY" } },
  {
    name: "sends a notice without an end",
    serve: saying(message("N", Buffer.from("Mhello"))),
    ends: { ...CONFUSED, code: "FRAME_BODY" },
  },
  { name: "sends a message of an unknown type", serve: saying(message("!", int32(0))), ends: CONFUSED },
  { name: "sends a message of type 0", serve: saying(message("\0", int32(0))), ends: CONFUSED },
  {
    name: "negotiates a version that nobody asked for",
    serve: saying(message("v", int32(0x0003_0002), int32(0x7fff_ffff))),
    ends: CONFUSED,
  },
  { name: "sends a row before anything", serve: saying(server.row("1")), ends: CONFUSED },
  { name: "is ready before it has let anybody in", serve: saying(server.ready()), ends: CONFUSED },
  { name: "begins a copy in the login", serve: saying(server.copyOut()), ends: CONFUSED },
  { name: "sends a key of no bytes", serve: greeting(OK, ...PARAMETERS, message("K"), server.ready()), ends: CONFUSED },
  {
    name: "sends a key of 5 bytes",
    serve: greeting(OK, ...PARAMETERS, message("K", Buffer.alloc(5)), server.ready()),
    ends: CONFUSED,
  },
  {
    name: "never reports how it reads texts",
    serve: greeting(OK, KEY, server.ready()),
    ends: { kind: "unguardable", says: /did not report/ },
  },
  {
    name: "reads texts otherwise than the parser",
    serve: greeting(OK, ...PARAMETERS, server.parameter("standard_conforming_strings", "off"), server.ready()),
    ends: { kind: "unguardable", says: /cannot be guarded/ },
  },
  {
    name: "sends parameters without end in the login",
    serve: then(
      (visit) => visit.startup(),
      (visit) => forEver(visit, server.parameter("a", "b".repeat(1_000))),
    ),
    ends: CONFUSED,
  },
  {
    name: "sends notices without end in the login",
    serve: then(
      (visit) => visit.startup(),
      (visit) => forEver(visit, server.notice({ S: "NOTICE", M: "x".repeat(1_000) })),
    ),
    ends: CONFUSED,
  },
];

async function forEver(visit: Visit, part: Uint8Array): Promise<void> {
  for (;;) await visit.send(part);
}

const ODD_BUT_RIGHT: readonly QuickRow[] = [
  {
    name: "asks for no proof at all",
    serve: async (visit) => {
      await visit.startup();
      await visit.greet();
      await behave(visit);
    },
    ends: ANSWERED,
  },
  {
    name: "has a key of 256 bytes, as protocol 3.2 allows",
    serve: then(greeting(OK, ...PARAMETERS, message("K", Buffer.alloc(260, 7)), server.ready()), behave),
    ends: ANSWERED,
  },
  {
    name: "has a key of 60,000 bytes",
    serve: then(greeting(OK, ...PARAMETERS, message("K", Buffer.alloc(60_000, 7)), server.ready()), behave),
    ends: ANSWERED,
  },
  { name: "has no key", serve: then(greeting(OK, ...PARAMETERS, server.ready()), behave), ends: ANSWERED },
  {
    name: "is slow: a byte each 2 ms of login and answer",
    serve: async (visit) => {
      await visit.startup();
      await visit.scram();
      await visit.drip(Buffer.concat([OK, ...PARAMETERS, server.ready()]), 2);
      await behave(visit);
    },
    ends: ANSWERED,
    withinMs: LOGIN_TIME,
  },
];

const PROOFS: readonly QuickRow[] = [
  ...(["require", undefined] as const).flatMap((tls): readonly QuickRow[] => {
    const open: Serve = (visit) => visit.startup(tls === undefined ? undefined : "granted");
    const how = tls === undefined ? "in the clear" : "over TLS that nobody verified";
    const given = tls === undefined ? {} : { tls };
    return [
      {
        name: `asks for the password ${how}`,
        ...given,
        serve: then(open, (visit) => visit.send(server.cleartext())),
        ends: WEAK,
      },
      {
        name: `asks for an md5 password ${how}`,
        ...given,
        serve: then(open, (visit) => visit.send(server.md5(Buffer.from("salt")))),
        ends: WEAK,
      },
    ];
  }),
  ...[2, 6, 7, 8, 9, 13, -1].map(
    (code): QuickRow => ({
      name: `asks for authentication ${code}`,
      serve: saying(authentication(code, Buffer.alloc(4))),
      ends: CONFUSED,
    }),
  ),
  {
    name: "offers no kind of SASL",
    serve: saying(server.sasl()),
    ends: { kind: "refused", sqlState: "28000", code: "UPSTREAM_AUTH" },
  },
  {
    name: "offers an unknown kind of SASL",
    serve: saying(server.sasl("PLAIN", "SCRAM-MD5")),
    ends: { kind: "refused", sqlState: "28000", code: "UPSTREAM_AUTH" },
  },
  {
    name: "goes on with a SCRAM that has not begun",
    serve: saying(server.saslContinue("r=x,s=AAAA,i=4096")),
    ends: CONFUSED,
  },
  { name: "ends a SCRAM that has not begun", serve: saying(server.saslFinal("v=AAAA")), ends: CONFUSED },
  {
    name: "offers SCRAM twice",
    serve: saying(server.sasl("SCRAM-SHA-256"), server.sasl("SCRAM-SHA-256")),
    ends: CONFUSED,
  },
  {
    name: "asks for the password amid SCRAM",
    serve: saying(server.sasl("SCRAM-SHA-256"), server.cleartext()),
    ends: CONFUSED,
  },
  { name: "asks for the password after it has let us in", serve: saying(OK, server.cleartext()), ends: CONFUSED },
  {
    name: "breaks SCRAM off with AuthenticationOk",
    serve: then(STAGES["after offering SCRAM"] as Serve, (visit) => visit.greet()),
    ends: UNPROVEN,
  },
  {
    name: "lets us in on our proof without its own",
    serve: then(STAGES["amid SCRAM"] as Serve, (visit) => visit.greet()),
    ends: UNPROVEN,
  },
  ...(
    [
      ["signs with another password", { final: `v=${Buffer.alloc(32, 1).toString("base64")}` }],
      ["signs with nothing", { final: "v=" }],
      ["says why it does not sign", { final: "e=other-error" }],
      ["says nothing instead of a signature", { final: "" }],
      ["wants 0 iterations", { iterations: 0 }, "UPSTREAM_SCRAM_WEAK"],
      ["wants 1 iteration", { iterations: 1 }, "UPSTREAM_SCRAM_WEAK"],
      ["wants -4096 iterations", { iterations: -4_096 }, "UPSTREAM_SCRAM_WEAK"],
      ["wants 10 million iterations", { iterations: 10_000_000 }],
      ["wants 4,294,967,295 iterations", { iterations: 4_294_967_295 }],
      ["wants 1e400 iterations", { iterations: "1e400" }],
      ["wants iterations that are no number", { iterations: "many" }],
      ["repeats our nonce", { nonce: (ours) => ours }],
      ["takes a nonce of its own", { nonce: () => "abcdefghijklmnopqrstuvwxyz0123456789" }],
      ["cuts our nonce", { nonce: (ours) => ours.slice(0, -1) }],
      ["has no nonce", { first: () => "s=AAAA,i=4096" }],
      ["has no salt", { first: (nonce) => `r=${nonce},i=4096` }],
      ["says nothing first", { first: () => "" }],
    ] as readonly (readonly [string, ScramTricks, string?])[]
  ).map(
    ([what, tricks, code = "UPSTREAM_SCRAM"]): QuickRow => ({
      name: `in SCRAM ${what}`,
      serve: async (visit) => {
        await visit.startup();
        await visit.scram(tricks);
        await visit.greet();
      },
      ends: { ...UNPROVEN, code },
    }),
  ),
];

/** `other` is a certificate by another authority, `named` one by ours for another name. */
export function tlsRows(
  other: HostileOptions["certificate"],
  named: HostileOptions["certificate"],
): readonly QuickRow[] {
  const afterTls =
    (bytes: Uint8Array): Serve =>
    async (visit) => {
      await visit.sslRequest();
      await visit.send(bytes);
    };
  const S = Buffer.from("S");
  return [
    { name: "refuses TLS", tls: "verified", serve: afterTls(Buffer.from("N")), ends: NO_TLS },
    {
      name: "refuses TLS with an error",
      tls: "verified",
      serve: afterTls(server.error({ S: "FATAL", M: "no" })),
      ends: NO_TLS,
    },
    {
      name: "answers the request for TLS with anything",
      tls: "require",
      serve: afterTls(Buffer.from("?")),
      ends: NO_TLS,
    },
    {
      name: "lets us in before TLS, in the same packet",
      tls: "require",
      serve: afterTls(Buffer.concat([S, OK, server.ready()])),
      ends: NO_TLS,
    },
    {
      name: "lets us in instead of TLS",
      tls: "require",
      serve: then(afterTls(S), async (visit) => {
        await visit.pause(50);
        await visit.greet();
      }),
      ends: { ...UNTRUSTED, orCode: "UPSTREAM_TLS_REFUSED" },
    },
    {
      name: "shows a certificate of another authority",
      tls: "verified",
      serve: (visit) => visit.startup(other),
      ends: UNTRUSTED,
    },
    {
      name: "shows a certificate for another name",
      tls: "verified",
      serve: (visit) => visit.startup(named),
      ends: UNTRUSTED,
    },
    {
      name: "is honest over verified TLS",
      tls: "verified",
      serve: then((visit) => visit.login("granted"), behave),
      ends: ANSWERED,
    },
  ];
}

export const LOGIN_ROWS: readonly Row[] = quick([...EARLY_ENDS, ...LIES, ...ODD_BUT_RIGHT, ...PROOFS]);
