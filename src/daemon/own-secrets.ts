/** Files that only the daemon reads for its sinks and its API: a command that runs as root inside an agent must not find them. */
import type { Settings } from "../config.ts";
import type { SecretRef } from "../model/sink.ts";

export function ownSecrets({ events, api }: Pick<Settings, "events" | "api">): readonly string[] {
  const files = events.sinks.flatMap((sink) => {
    switch (sink.kind) {
      case "file":
        return [];
      case "syslog":
        return sink.tls === "disable" ? [] : keyFile(sink.tls.key);
      case "otlp":
        return [...sink.headers.flatMap(({ value }) => secretFile(value)), ...keyFile(sink.tls.key)];
      case "webhook":
        return [...secretFile(sink.key), ...keyFile(sink.tls.key)];
      default:
        return sink satisfies never;
    }
  });
  return [...new Set([...files, ...(api === undefined ? [] : secretFile(api.key))])];
}

function keyFile(key: string | undefined): readonly string[] {
  return key === undefined ? [] : [key];
}

function secretFile(reference: SecretRef): readonly string[] {
  return "file" in reference ? [reference.file] : [];
}
