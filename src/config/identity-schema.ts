/** The shape of `identity` in the settings. What a schema cannot say is checked in config/identity.ts. */
import { ISSUER_ENTRIES_MAX, ISSUERS_MAX } from "../base/limits.ts";
import { TOKEN_ALGORITHMS } from "../model/issuer.ts";
import { duration, label, name, path, text } from "./schema-parts.ts";

const claim = {
  type: "string",
  pattern: "^[A-Za-z_][A-Za-z0-9_.:/-]{0,127}$",
  description: "the name of a claim: 1 to 128 letters, digits, _ . : / or -, beginning with a letter or _",
} as const;

const names = { type: "array", minItems: 1, maxItems: ISSUER_ENTRIES_MAX, uniqueItems: true } as const;

const issuer = {
  type: "object",
  additionalProperties: false,
  required: ["name", "issuer", "audience"],
  properties: {
    name,
    issuer: {
      type: "string",
      maxLength: 2_000,
      pattern: "^https://[^\\u0000-\\u0020?#@]+$",
      description: "an https URL without user, query and fragment, as the tokens write it",
    },
    audience: text,
    algorithms: { ...names, items: { type: "string", enum: [...TOKEN_ALGORITHMS] } },
    clockSkew: duration,
    until: { type: "string", enum: ["cgroup", "token"] },
    for: duration,
    groups: {
      if: { type: "object" },
      // biome-ignore lint/suspicious/noThenProperty: JSON Schema calls it so
      then: {
        type: "object",
        additionalProperties: false,
        required: ["claim", "names"],
        properties: {
          claim,
          names: {
            type: "object",
            minProperties: 1,
            maxProperties: 1_000,
            propertyNames: text,
            additionalProperties: { ...names, items: label },
          },
        },
      },
      else: claim,
    },
    claims: { ...names, items: claim },
    match: {
      type: "object",
      minProperties: 1,
      maxProperties: ISSUER_ENTRIES_MAX,
      propertyNames: claim,
      additionalProperties: text,
    },
    agents: { ...names, items: name },
    ca: path,
  },
} as const;

export const identitySchema = {
  type: "object",
  additionalProperties: false,
  properties: { issuers: { type: "array", maxItems: ISSUERS_MAX, items: issuer } },
} as const;
