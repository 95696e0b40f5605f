/** The decisions of bpf/redirect.h, row by row, run by the kernel itself. */
import assert from "node:assert/strict";
import { addressBytes, type Entry, type Row, table } from "./rows.ts";

const intercept: Entry = { action: "intercept", reason: "registered", connection: 7 };
const allow: Entry = { action: "allow" };
const deny: Entry = { action: "deny" };
const INTERCEPTED = "intercept registered loopback";
const ALLOWED = "allow egress-rule anywhere";
const DENIED = "deny egress-rule nowhere";
const UNLISTED = "deny unlisted nowhere";
const SEALED = "deny sealed-names nowhere";
const OWN = "allow own-listener loopback";
const OURS = "deny our-listener nowhere";

type DecisionRow = Omit<Row, "question"> & {
  readonly name: string;
  readonly verdict: string;
  readonly names?: boolean; // the connection of queries
  readonly lifted?: boolean; // told as observed
};
const decisions: readonly DecisionRow[] = [
  { name: "nothing listed is denied", verdict: UNLISTED },
  { name: "UDP that is not listed is denied", protocol: 17, port: 443, verdict: UNLISTED },
  { name: "a protocol without a number is denied", protocol: 0, verdict: UNLISTED },
  { name: "a registered destination is intercepted", exact: intercept, verdict: INTERCEPTED },
  { name: "a registered network is intercepted on any port", any: { ...intercept, prefix: 104 }, verdict: INTERCEPTED },
  { name: "an egress rule allows", exact: allow, verdict: ALLOWED },
  { name: "an egress rule for any port allows", any: allow, verdict: ALLOWED },
  { name: "an egress rule denies", exact: deny, verdict: DENIED },
  {
    name: "a row may say that it is a nameserver",
    protocol: 17,
    port: 5353,
    exact: { action: "allow", reason: "nameserver" },
    verdict: "allow nameserver anywhere",
  },
  {
    name: "the longer prefix wins: deny for any port",
    exact: { ...allow, prefix: 104 },
    any: { ...deny, prefix: 120 },
    verdict: DENIED,
  },
  {
    name: "the longer prefix wins: allow for this port",
    exact: { ...allow, prefix: 120 },
    any: { ...deny, prefix: 104 },
    verdict: ALLOWED,
  },
  {
    name: "the longer prefix wins: allow for any port",
    exact: { ...deny, prefix: 104 },
    any: { ...allow, prefix: 128 },
    verdict: ALLOWED,
  },
  {
    name: "the longer prefix wins: even over interception",
    exact: { ...intercept, prefix: 104 },
    any: { ...deny, prefix: 128 },
    verdict: DENIED,
  },
  { name: "on a tie deny beats allow: any port", exact: allow, any: deny, verdict: DENIED },
  { name: "on a tie deny beats allow: this port", exact: deny, any: allow, verdict: DENIED },
  { name: "on a tie interception of this port beats deny", exact: intercept, any: deny, verdict: INTERCEPTED },
  { name: "on a tie interception of this port beats allow", exact: intercept, any: allow, verdict: INTERCEPTED },
  { name: "on a tie interception of any port beats allow", exact: allow, any: intercept, verdict: INTERCEPTED },
  { name: "on a tie deny of this port beats interception of any", exact: deny, any: intercept, verdict: DENIED },
  { name: "an IPv6 prefix does not speak for IPv4: allow", any: { ...allow, prefix: 0 }, verdict: UNLISTED },
  { name: "an IPv6 prefix does not speak for IPv4: intercept", exact: { ...intercept, prefix: 80 }, verdict: UNLISTED },
  {
    name: "an IPv6 prefix does not hide an IPv4 rule",
    exact: { ...deny, prefix: 0 },
    any: { ...allow, prefix: 96 },
    verdict: ALLOWED,
  },
  { name: "all of IPv4 is a prefix of 96 bits", any: { ...allow, prefix: 96 }, verdict: ALLOWED },
  { name: "all of IPv6 is a prefix of 0 bits", address: "2001:db8::1", any: { ...allow, prefix: 0 }, verdict: ALLOWED },
  { name: "no listener, no interception", exact: intercept, listener: 0, verdict: "deny no-listener nowhere" },
  { name: "no listener, but a rule", exact: allow, listener: 0, verdict: ALLOWED },
  { name: "quarantine beats a rule", exact: allow, quarantined: true, verdict: "deny quarantined nowhere" },
  { name: "quarantine beats interception", exact: intercept, quarantined: true, verdict: "deny quarantined nowhere" },
  { name: "quarantine beats an own listener", own: true, quarantined: true, verdict: "deny quarantined nowhere" },
  { name: "an own listener is allowed", address: "127.0.0.1", own: true, verdict: OWN },
  { name: "an own listener is allowed in spite of a rule", address: "127.0.0.1", own: true, any: deny, verdict: OWN },
  {
    name: "a registered destination comes before an own listener",
    address: "127.0.0.1",
    own: true,
    exact: intercept,
    verdict: INTERCEPTED,
  },
  {
    name: "our listener is denied in spite of a rule",
    address: "127.0.0.1",
    port: 25_000,
    exact: allow,
    verdict: OURS,
  },
  { name: "our IPv6 listener is denied", address: "::1", port: 25_000, exact: allow, verdict: OURS },
  {
    name: "our listener is denied as a destination",
    address: "127.0.0.1",
    port: 25_000,
    exact: intercept,
    verdict: OURS,
  },
  {
    name: "our port on another loopback address is a port like any",
    address: "127.0.0.2",
    port: 25_000,
    exact: allow,
    verdict: ALLOWED,
  },
  { name: "our port on another host is a port like any", port: 25_000, exact: allow, verdict: ALLOWED },
  {
    name: "our port is denied over UDP, too",
    address: "127.0.0.1",
    port: 25_000,
    protocol: 17,
    exact: allow,
    verdict: OURS,
  },
  { name: "a query over UDP goes to our resolver", protocol: 17, port: 53, names: true, verdict: INTERCEPTED },
  { name: "a query over TCP goes to our resolver", port: 53, names: true, verdict: INTERCEPTED },
  { name: "also where a rule denies it", port: 53, exact: deny, names: true, verdict: INTERCEPTED },
  { name: "also where a rule allows it", port: 53, exact: allow, names: true, verdict: INTERCEPTED },
  {
    name: "also to the agent's own server",
    port: 53,
    address: "127.0.0.1",
    own: true,
    names: true,
    verdict: INTERCEPTED,
  },
  {
    name: "also in a registered network",
    port: 53,
    any: { ...intercept, prefix: 104 },
    names: true,
    verdict: INTERCEPTED,
  },
  {
    name: "also where port 53 of a network is registered",
    port: 53,
    exact: { ...intercept, prefix: 127 },
    names: true,
    verdict: INTERCEPTED,
  },
  {
    name: "but not where port 53 of that very address is registered",
    port: 53,
    exact: intercept,
    verdict: INTERCEPTED,
  },
  { name: "no listener, no query", port: 53, listener: 0, verdict: "deny no-listener nowhere" },
  { name: "quarantine beats a query", port: 53, quarantined: true, verdict: "deny quarantined nowhere" },
  { name: "sealed queries are denied", port: 853, verdict: SEALED },
  { name: "sealed queries are denied over UDP", port: 853, protocol: 17, verdict: SEALED },
  { name: "sealed queries are denied in spite of a rule", port: 853, exact: allow, verdict: SEALED },
  { name: "sealed queries are denied to an own listener", port: 853, address: "127.0.0.1", own: true, verdict: SEALED },
  { name: "sealed queries are denied in a registered network", port: 853, any: intercept, verdict: SEALED },
  {
    name: "a backend that is registered on port 853 is intercepted",
    port: 853,
    exact: intercept,
    verdict: INTERCEPTED,
  },
  { name: "a silent daemon intercepts nothing", exact: intercept, silent: true, verdict: "deny daemon-silent nowhere" },
  { name: "a silent daemon answers no query", port: 53, silent: true, verdict: "deny daemon-silent nowhere" },
  { name: "a silent daemon does not stop what is allowed", exact: allow, silent: true, verdict: ALLOWED },
  { name: "observed: unlisted passes", observed: true, lifted: true, verdict: "allow unlisted observed" },
  {
    name: "observed: a denial passes",
    exact: deny,
    observed: true,
    lifted: true,
    verdict: "allow egress-rule observed",
  },
  {
    name: "observed: sealed queries pass",
    port: 853,
    observed: true,
    lifted: true,
    verdict: "allow sealed-names observed",
  },
  { name: "observed: what is allowed is simply allowed", exact: allow, observed: true, verdict: ALLOWED },
  { name: "observed: what is registered is intercepted", exact: intercept, observed: true, verdict: INTERCEPTED },
  { name: "observed: queries are intercepted", port: 53, observed: true, names: true, verdict: INTERCEPTED },
  { name: "observed: quarantine wins", observed: true, quarantined: true, verdict: "deny quarantined nowhere" },
  { name: "observed: no listener", exact: intercept, listener: 0, observed: true, verdict: "deny no-listener nowhere" },
  {
    name: "observed: a silent daemon",
    exact: intercept,
    silent: true,
    observed: true,
    verdict: "deny daemon-silent nowhere",
  },
  { name: "observed: our listener", address: "127.0.0.1", port: 25_000, observed: true, verdict: OURS },
];

table(
  decisions.map((row) => ({ question: "decide" as const, ...row })),
  (row, answer) => {
    assert.equal(answer.verdict, row.verdict);
    assert.equal(answer.connection, row.names === true ? 0xffffffff : row.verdict === INTERCEPTED ? 7 : 0);
    assert.equal(answer.observed, row.lifted === true);
  },
);

table(
  [
    { name: "TCP is a socket kind", numbers: [2, 1, 6], allowed: true },
    { name: "TCP by default is a socket kind", numbers: [10, 1, 0], allowed: true },
    { name: "UDP is a socket kind", numbers: [10, 2, 17], allowed: true },
    { name: "UDP by default is a socket kind", numbers: [2, 2, 0], allowed: true },
    { name: "raw is none", numbers: [2, 3, 1], allowed: false },
    { name: "raw with TCP's number is none", numbers: [2, 3, 6], allowed: false },
    { name: "ping is none", numbers: [2, 2, 1], allowed: false },
    { name: "ping over IPv6 is none", numbers: [10, 2, 58], allowed: false },
    { name: "MPTCP is none", numbers: [2, 1, 262], allowed: false },
    { name: "SCTP is none", numbers: [2, 1, 132], allowed: false },
    { name: "SCTP one-to-many is none", numbers: [2, 5, 132], allowed: false },
    { name: "UDP-Lite is none", numbers: [2, 2, 136], allowed: false },
    { name: "DCCP is none", numbers: [2, 6, 33], allowed: false },
    { name: "SMC is none", numbers: [43, 1, 0], allowed: false },
    { name: "a stream of UDP is none", numbers: [2, 1, 17], allowed: false },
  ].map((row) => ({ question: "socketKind" as const, ...row })),
  (row, answer) => assert.equal(answer.answer, row.allowed),
);

table(
  [
    { name: "a bind to no port in particular passes", numbers: [0, 25_000], allowed: true },
    { name: "a bind to no port passes where nobody listens", numbers: [0, 0], allowed: true },
    { name: "a bind to another port passes", numbers: [24_999, 25_000], allowed: true },
    { name: "a bind to the listener's port does not", numbers: [25_000, 25_000], allowed: false },
  ].map((row) => ({ question: "port" as const, ...row })),
  (row, answer) => assert.equal(answer.answer, row.allowed),
);

table(
  [
    { name: "a packet of a socket that nobody admitted is dropped", numbers: [0, 2, 0], allowed: false },
    { name: "also on loopback", numbers: [0, 1, 0], allowed: false },
    { name: "an allowed flow passes on any device", numbers: [2, 3, 0], allowed: true },
    { name: "an allowed flow ends with a quarantine", numbers: [2, 3, 1], allowed: false },
    { name: "a redirected flow passes on loopback", numbers: [1, 1, 0], allowed: true },
    { name: "a redirected flow passes on no other device", numbers: [1, 2, 0], allowed: false },
    { name: "a redirected flow is left to the daemon under quarantine", numbers: [1, 1, 1], allowed: true },
    { name: "an observed flow passes on any device", numbers: [3, 2, 0, 1], allowed: true },
    { name: "an observed flow ends with the observing", numbers: [3, 1, 0, 0], allowed: false },
    { name: "an observed flow ends with a quarantine", numbers: [3, 1, 1, 1], allowed: false },
    { name: "observing alone admits no packet here", numbers: [0, 1, 0, 1], allowed: false },
    { name: "an admission without a name is none", numbers: [4, 1, 0, 1], allowed: false },
  ].map((row) => ({ question: "packet" as const, ...row })),
  (row, answer) => assert.equal(answer.answer, row.allowed),
);

table(
  [
    { name: "0.0.0.0 is pinned to 127.0.0.1", address: "0.0.0.0", pinned: "127.0.0.1" },
    { name: ":: is pinned to ::1", address: "::", pinned: "::1" },
    { name: "0.0.0.1 is not unspecified", address: "0.0.0.1", pinned: undefined },
    { name: "::1 is not unspecified", address: "::1", pinned: undefined },
    { name: "2001:db8:: is not unspecified", address: "2001:db8::", pinned: undefined },
    { name: "10.0.0.0 is not unspecified", address: "10.0.0.0", pinned: undefined },
  ].map((row) => ({ question: "pin" as const, ...row })),
  (row, answer) => {
    assert.equal(answer.answer, row.pinned !== undefined);
    assert.deepEqual(answer.address, addressBytes(row.pinned ?? row.address));
  },
);

table(
  [
    { name: "127.0.0.1 is loopback", address: "127.0.0.1", loopback: true },
    { name: "127.255.255.254 is loopback", address: "127.255.255.254", loopback: true },
    { name: "::1 is loopback", address: "::1", loopback: true },
    { name: "128.0.0.1 is not loopback", address: "128.0.0.1", loopback: false },
    { name: "::7f00:1 is not loopback", address: "::7f00:1", loopback: false },
    { name: "::2 is not loopback", address: "::2", loopback: false },
    { name: "fe80::1 is not loopback", address: "fe80::1", loopback: false },
  ].map((row) => ({ question: "loopback" as const, ...row })),
  (row, answer) => assert.equal(answer.answer, row.loopback),
);

table(
  [
    { name: "the first datagram admits its socket", numbers: [0, 1], allowed: true },
    { name: "an allowed datagram raises any admission", numbers: [3, 2], allowed: true },
    { name: "an observed datagram raises loopback", numbers: [1, 3], allowed: true },
    { name: "an observed datagram leaves an allowed socket alone", numbers: [2, 3], allowed: false },
    { name: "a redirected datagram lowers nothing", numbers: [2, 1], allowed: false },
  ].map((row) => ({ question: "raises" as const, ...row })),
  (row, answer) => assert.equal(answer.answer, row.allowed),
);
