/** Files that only the daemon reads for its sinks, its API and its logins: a command that runs as root inside an agent must not find them. */
import type { Settings } from "../config.ts";
import type { SecretRef } from "../model/sink.ts";

export function ownSecrets({ events, api, humans }: Pick<Settings, "events" | "api" | "humans">): readonly string[] {
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
  const clients = humans.logins.flatMap(({ login }) =>
    login.kind === "oidc" && login.clientSecret !== undefined ? secretFile(login.clientSecret) : [],
  );
  return [...new Set([...files, ...clients, ...(api === undefined ? [] : secretFile(api.key))])];
}

function keyFile(key: string | undefined): readonly string[] {
  return key === undefined ? [] : [key];
}

export function secretFile(reference: SecretRef): readonly string[] {
  return "file" in reference ? [reference.file] : [];
}
