/** Files that only the daemon reads for its sinks: a command that runs as root inside an agent must not find them. */
import type { EventSettings, SecretRef } from "../model/sink.ts";

export function sinkSecrets({ sinks }: EventSettings): readonly string[] {
  const files = sinks.flatMap((sink) => {
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
  return [...new Set(files)];
}

function keyFile(key: string | undefined): readonly string[] {
  return key === undefined ? [] : [key];
}

export function secretFile(reference: SecretRef): readonly string[] {
  return "file" in reference ? [reference.file] : [];
}
