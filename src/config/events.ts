/** `events` of the settings as plain values: what belongs to which kind of sink, sizes, and paths. Reads no file. */
import { dirname, resolve } from "node:path";
import { chooser } from "../audit/choose.ts";
import { EVENT_KINDS } from "../audit/kinds.ts";
import { OUTBOX_BYTES, SINK_FILE_BYTES, SINK_FILES_KEPT, SYSLOG_RESEND_BYTES } from "../base/limits.ts";
import type { EventSettings, SecretRef, SinkCommon, SinkSettings, SinkTls } from "../model/sink.ts";
import { AddressError, parseAddress } from "./address.ts";
import { checkDistinct, invalid } from "./meaning.ts";
import type { Finding, Path } from "./problems.ts";

export interface RawEvents {
  readonly decisions?: EventSettings["decisions"];
  readonly outbox?: { readonly size?: string; readonly full?: EventSettings["outbox"]["whenFull"] };
  readonly sinks?: readonly RawSink[];
}

interface RawSink {
  readonly name: string;
  readonly kind: SinkSettings["kind"];
  readonly format?: "native" | "ocsf";
  readonly kinds?: readonly string[];
  readonly path?: string;
  readonly rotate?: { readonly size?: string; readonly keep?: number };
  readonly group?: string;
  readonly address?: string;
  readonly resend?: string;
  readonly url?: string;
  readonly encoding?: "protobuf" | "json";
  readonly headers?: Readonly<Record<string, SecretRef>>;
  readonly key?: SecretRef;
  readonly tls?: SinkTls & { readonly mode?: "verify-full" | "disable" };
}

type Report = (finding: Finding) => void;

const COMMON = ["name", "kind", "format", "kinds"] as const;
const KEYS = {
  file: { needs: ["path"], may: ["rotate", "group"] },
  syslog: { needs: ["address"], may: ["tls", "resend"] },
  otlp: { needs: ["url"], may: ["encoding", "headers", "tls"] },
  webhook: { needs: ["url", "key"], may: ["tls"] },
} as const;

/** `file`: the settings file, from which relative paths start. */
export function readEvents(raw: RawEvents, file: string, report: Report): EventSettings {
  const { decisions = "refused", outbox = {}, sinks = [] } = raw;
  const named = sinks.map(({ name }, index) => ({ key: name, path: ["events", "sinks", index, "name"] }));
  checkDistinct(named, () => "is another sink's as well", report);
  const files = sinks.flatMap(({ path }, index) =>
    path === undefined ? [] : [{ key: resolve(dirname(file), path), path: ["events", "sinks", index, "path"] }],
  );
  checkDistinct(files, () => "is another sink's as well: each rotates its own", report);
  return {
    decisions,
    outbox: { bytesMax: bytesOf(outbox.size) ?? OUTBOX_BYTES, whenFull: outbox.full ?? "drop-oldest" },
    sinks: sinks.flatMap((sink, index) => readSink(sink, ["events", "sinks", index], file, report) ?? []),
  };
}

function readSink(raw: RawSink, path: Path, file: string, report: Report): SinkSettings | undefined {
  const { kind, name, format = "native", kinds = [] } = raw;
  const { needs, may } = KEYS[kind];
  const known: ReadonlySet<string> = new Set([...COMMON, ...needs, ...may]);
  for (const key of Object.keys(raw)) {
    if (!known.has(key))
      report(invalid([...path, key], "key", `means nothing for a sink of kind "${kind}"; take it out`));
  }
  for (const [index, glob] of kinds.entries()) {
    if (Object.keys(EVENT_KINDS).some(chooser([glob]))) continue;
    report(invalid([...path, "kinds", index], "value", "is no kind of event, and none fits it (docs/events.md)"));
  }
  const lacking = needs.filter((key) => raw[key] === undefined);
  for (const key of lacking)
    report(invalid(path, "value", `lacks the key "${key}", which a sink of kind "${kind}" needs`));
  if (lacking.length > 0) return undefined;
  const from = (relative: string) => resolve(dirname(file), relative);
  return target(raw, { name, format, kinds }, path, from, report);
}

function target(
  raw: RawSink,
  common: SinkCommon,
  path: Path,
  from: (relative: string) => string,
  report: Report,
): SinkSettings | undefined {
  const { url = "", rotate = {}, group } = raw;
  switch (raw.kind) {
    case "file": {
      const bytesMax = bytesOf(rotate.size) ?? SINK_FILE_BYTES;
      const keep = rotate.keep ?? SINK_FILES_KEPT;
      const own = { kind: "file", path: from(raw.path ?? ""), bytesMax, keep } as const;
      return { ...common, ...own, ...(group === undefined ? {} : { group }) };
    }
    case "syslog": {
      const host = hostOf(raw.address ?? "", [...path, "address"], report);
      if (host === undefined) return undefined;
      const tls = raw.tls?.mode === "disable" ? "disable" : tlsOf(raw.tls, from);
      if (tls === "disable") checkDisabled(raw.tls, path, report);
      return { ...common, kind: "syslog", ...host, tls, resendBytes: bytesOf(raw.resend) ?? SYSLOG_RESEND_BYTES };
    }
    case "otlp": {
      checkUrl(raw, path, report);
      const headers = Object.entries(raw.headers ?? {}).map(([name, value]) => ({ name, value: placed(value, from) }));
      return { ...common, kind: "otlp", url, encoding: raw.encoding ?? "protobuf", headers, tls: tlsOf(raw.tls, from) };
    }
    case "webhook": {
      checkUrl(raw, path, report);
      const key = placed(raw.key ?? { env: "" }, from);
      return { ...common, kind: "webhook", url, key, tls: tlsOf(raw.tls, from) };
    }
    default:
      return raw.kind satisfies never;
  }
}

function hostOf(text: string, path: Path, report: Report): { host: string; port: number } | undefined {
  try {
    const address = parseAddress(text, "numbers");
    if (address.kind === "name") return { host: address.host, port: address.port };
    if (address.kind === "network" && !text.includes("/")) return { host: address.address, port: address.port };
    report(invalid(path, "value", "must be one host"));
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    report(invalid(path, "value", error.message));
  }
  return undefined;
}

/** Without TLS the events, and who may read them, are anybody's on the way: that is said, not slipped into. */
function checkUrl({ url = "", tls }: RawSink, path: Path, report: Report): void {
  const isPlain = url.startsWith("http:");
  if (!URL.canParse(url)) report(invalid([...path, "url"], "value", "is not a URL"));
  else if (new URL(url).username !== "" || new URL(url).password !== "") {
    report(invalid([...path, "url"], "value", "must not carry a login; name it by a reference"));
  }
  if (isPlain && tls?.mode !== "disable") {
    report(invalid([...path, "url"], "value", "is not encrypted; use https, or say so with tls: { mode: disable }"));
  }
  if (!isPlain && tls?.mode === "disable") {
    report(invalid([...path, "tls", "mode"], "value", "means nothing with an https URL, which is always verified"));
  }
  if (isPlain) checkDisabled(tls, path, report);
}

function checkDisabled(tls: RawSink["tls"], path: Path, report: Report): void {
  for (const key of ["name", "ca", "certificate", "key"] as const) {
    if (tls?.[key] === undefined) continue;
    report(invalid([...path, "tls", key], "key", 'means nothing with mode "disable"; take one of them out'));
  }
}

function tlsOf(raw: RawSink["tls"], from: (relative: string) => string): SinkTls {
  const { name, ca, certificate, key } = raw ?? {};
  return {
    ...(name === undefined ? {} : { name }),
    ...(ca === undefined ? {} : { ca: from(ca) }),
    ...(certificate === undefined ? {} : { certificate: from(certificate) }),
    ...(key === undefined ? {} : { key: from(key) }),
  };
}

/** Paths start at the settings' folder. */
export function placed(reference: SecretRef, from: (relative: string) => string): SecretRef {
  return "file" in reference ? { file: from(reference.file) } : reference;
}

const UNITS = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** The schema has seen to its form. */
function bytesOf(text: string | undefined): number | undefined {
  const [, amount = "", unit = ""] = /^([0-9]+)([KMG]iB)$/.exec(text ?? "") ?? [];
  return amount === "" ? undefined : Number(amount) * UNITS[unit as keyof typeof UNITS];
}
