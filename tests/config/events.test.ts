/** `events` of the settings: sinks as plain values, and what is wrong told by its place. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SettingsError } from "../../src/config/problems.ts";
import { readSettings } from "../../src/config.ts";

const FILE = "/etc/sallyport/sallyport.yaml";
const sinks = (...lines: readonly string[]) => `events:\n  sinks:\n${lines.map((line) => `    - ${line}\n`).join("")}`;

test("each kind of sink becomes plain values, with defaults and paths from the settings' folder", () => {
  const text = `events:
  decisions: all
  outbox: { size: 64MiB, full: stop }
  sinks:
    - { name: siem, kind: file, path: out/events.jsonl, group: adm, rotate: { size: 10KiB, keep: 2 }, format: ocsf }
    - { name: bare, kind: file, path: /var/log/x.jsonl, kinds: ["session.*", hold.denied] }
    - { name: logs, kind: syslog, address: "siem.internal:6514", tls: { name: siem, ca: ca.pem, certificate: c.pem, key: k.pem } }
    - { name: plain, kind: syslog, address: "[2001:db8::1]:514", tls: { mode: disable }, resend: 1MiB }
    - { name: otel, kind: otlp, url: "https://collector:4318/v1/logs", encoding: json, headers: { Authorization: { file: token } } }
    - { name: hook, kind: webhook, url: "http://127.0.0.1:8080/x", key: { env: HOOK_KEY }, tls: { mode: disable } }
`;
  const native = { format: "native", kinds: [] };
  assert.deepEqual(readSettings(text, FILE).events, {
    decisions: "all",
    outbox: { bytesMax: 64 * 1024 * 1024, whenFull: "stop" },
    sinks: [
      {
        ...{ name: "siem", format: "ocsf", kinds: [], kind: "file", path: "/etc/sallyport/out/events.jsonl" },
        ...{ bytesMax: 10_240, keep: 2, group: "adm" },
      },
      {
        ...{ name: "bare", format: "native", kinds: ["session.*", "hold.denied"], kind: "file" },
        ...{ path: "/var/log/x.jsonl", bytesMax: 104_857_600, keep: 5 },
      },
      {
        ...{ name: "logs", ...native, kind: "syslog", host: "siem.internal", port: 6514, resendBytes: 16_777_216 },
        tls: {
          ...{ name: "siem", ca: "/etc/sallyport/ca.pem" },
          ...{ certificate: "/etc/sallyport/c.pem", key: "/etc/sallyport/k.pem" },
        },
      },
      {
        ...{ name: "plain", ...native, kind: "syslog", host: "2001:db8::1", port: 514 },
        ...{ tls: "disable", resendBytes: 1_048_576 },
      },
      {
        ...{ name: "otel", ...native, kind: "otlp", url: "https://collector:4318/v1/logs", encoding: "json", tls: {} },
        headers: [{ name: "Authorization", value: { file: "/etc/sallyport/token" } }],
      },
      {
        ...{ name: "hook", ...native, kind: "webhook", url: "http://127.0.0.1:8080/x", key: { env: "HOOK_KEY" } },
        tls: {},
      },
    ],
  });
});

const bad: readonly (readonly [string, string, string, RegExp])[] = [
  ["a sink without kind", sinks("{ name: a }"), "events.sinks[0]", /lacks the key "kind"/],
  ["an unknown kind", sinks("{ name: a, kind: splunk }"), "events.sinks[0].kind", /must be one of "file", "syslog"/],
  ["a file without path", sinks("{ name: a, kind: file }"), "events.sinks[0]", /lacks the key "path", which a sink of/],
  [
    "a key of another kind",
    sinks("{ name: a, kind: file, path: /x, url: 'https://x' }"),
    "events.sinks[0].url",
    /means nothing for a sink of kind "file"/,
  ],
  [
    "two of one name",
    sinks("{ name: a, kind: file, path: /x }", "{ name: a, kind: file, path: /y }"),
    "events.sinks[1].name",
    /another sink's/,
  ],
  [
    "a size without unit",
    "events: { outbox: { size: '100' } }\n",
    "events.outbox.size",
    /must be a size, e.g. "64MiB"/,
  ],
  [
    "a network as receiver",
    sinks("{ name: a, kind: syslog, address: '10.0.0.0/8:514' }"),
    "events.sinks[0].address",
    /one host/,
  ],
  [
    "an address without port",
    sinks("{ name: a, kind: syslog, address: siem }"),
    "events.sinks[0].address",
    /end with a port/,
  ],
  [
    "an unencrypted URL that does not say so",
    sinks("{ name: a, kind: otlp, url: 'http://x/v1/logs' }"),
    "events.sinks[0].url",
    /not encrypted; use https/,
  ],
  [
    "encryption turned off for https",
    sinks("{ name: a, kind: otlp, url: 'https://x/v1/logs', tls: { mode: disable } }"),
    "events.sinks[0].tls.mode",
    /always verified/,
  ],
  [
    "roots without encryption",
    sinks("{ name: a, kind: syslog, address: 'x:514', tls: { mode: disable, ca: ca.pem } }"),
    "events.sinks[0].tls.ca",
    /means nothing with mode "disable"/,
  ],
  [
    "a login in a URL",
    sinks("{ name: a, kind: webhook, url: 'https://u:hunter2@x/', key: { env: K } }"),
    "events.sinks[0].url",
    /must not carry a login/,
  ],
  [
    "a secret instead of a reference",
    sinks("{ name: a, kind: webhook, url: 'https://x/', key: hunter2 }"),
    "events.sinks[0].key",
    /a reference to the secret/,
  ],
  [
    "a secret as a header",
    sinks("{ name: a, kind: otlp, url: 'https://x/', headers: { Authorization: Bearer hunter2 } }"),
    "events.sinks[0].headers.Authorization",
    /a reference to the secret/,
  ],
  [
    "a secret in a wrong key of a reference",
    sinks("{ name: a, kind: webhook, url: 'https://x/', key: { hunter2: x } }"),
    "events.sinks[0].key",
    /has an unknown key/,
  ],
  [
    "a kind that there is not",
    sinks("{ name: a, kind: file, path: /x, kinds: ['session.*', 'sesion.*'] }"),
    "events.sinks[0].kinds[1]",
    /is no kind of event/,
  ],
  [
    "one file for two sinks",
    sinks("{ name: a, kind: file, path: /etc/sallyport/x }", "{ name: b, kind: file, path: x }"),
    "events.sinks[1].path",
    /is another sink's as well/,
  ],
  [
    "a glob with capitals",
    sinks("{ name: a, kind: file, path: /x, kinds: [Session] }"),
    "events.sinks[0].kinds[0]",
    /a glob/,
  ],
];

for (const [name, text, key, says] of bad) {
  test(`${name} is refused, by its place and without its value`, () => {
    assert.throws(
      () => readSettings(text, FILE),
      (error) => {
        assert.ok(error instanceof SettingsError);
        assert.equal(error.problems[0]?.key, key);
        assert.match(error.message, says);
        assert.ok(!error.message.includes("hunter2"), error.message);
        return true;
      },
    );
  });
}
