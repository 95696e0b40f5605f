/** `api` of the settings as plain values: where the API is served over TLS. Reads no file. */
import { dirname, resolve } from "node:path";
import type { ApiListener, SignInWay } from "../model/api-listener.ts";
import type { SecretRef } from "../model/sink.ts";
import { invalid } from "./meaning.ts";
import type { Finding } from "./problems.ts";
import { path, reference } from "./schema-parts.ts";
import { readListen } from "./servers.ts";

const LISTEN_DEFAULT = "127.0.0.1:8443";

export interface RawApi {
  readonly listen?: string;
  readonly certificate: string;
  readonly key: SecretRef;
  readonly names?: readonly string[];
  readonly login?: readonly SignInWay[];
  readonly answers?: boolean;
}

export const apiSchema = {
  type: "object",
  additionalProperties: false,
  required: ["certificate", "key"],
  properties: {
    listen: { type: "string", maxLength: 64, description: `an IP address with a port, ${LISTEN_DEFAULT} unless told` },
    certificate: path,
    key: reference,
    login: { type: "array", minItems: 1, uniqueItems: true, items: { type: "string", enum: ["code", "device"] } },
    answers: { type: "boolean" },
    names: {
      type: "array",
      maxItems: 16,
      items: {
        type: "string",
        pattern: "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$",
        description: "a host name in lower case",
      },
    },
  },
} as const;

/** `file`: the settings file, from which relative paths start. `hasLogins`: people can sign in somewhere. */
export function readApi(
  raw: RawApi | undefined,
  file: string,
  hasLogins: boolean,
  report: (finding: Finding) => void,
): ApiListener | undefined {
  if (raw === undefined) return undefined;
  const at = readListen(raw.listen ?? LISTEN_DEFAULT, ["api", "listen"], report);
  if (at === undefined) return undefined;
  if (raw.login !== undefined && !hasLogins) {
    report(invalid(["api", "login"], "key", "means nothing without identity.logins; take it out"));
  }
  const placed = (relative: string) => resolve(dirname(file), relative);
  const key = "file" in raw.key ? { file: placed(raw.key.file) } : raw.key;
  const ways = { signIn: raw.login ?? [], takesAnswers: raw.answers ?? false };
  return { ...at, certificate: placed(raw.certificate), key, names: raw.names ?? [], ...ways };
}
