/** The shape of `identity.issuers` and `identity.saml` in the settings. What a schema cannot say is checked in config/identity.ts. */
import { ISSUER_ENTRIES_MAX, ISSUERS_MAX, SAML_CERTIFICATES_MAX } from "../base/limits.ts";
import { TOKEN_ALGORITHMS } from "../model/issuer.ts";
import { duration, label, name, path, text } from "./schema-parts.ts";

export const claim = {
  type: "string",
  pattern: "^[A-Za-z_][A-Za-z0-9_.:/-]{0,127}$",
  description: "the name of a claim: 1 to 128 letters, digits, _ . : / or -, beginning with a letter or _",
} as const;

export const names = { type: "array", minItems: 1, maxItems: ISSUER_ENTRIES_MAX, uniqueItems: true } as const;

export const issuerUrl = {
  type: "string",
  maxLength: 2_000,
  pattern: "^https://[^\\u0000-\\u0020?#@]+$",
  description: "an https URL without user, query and fragment, as the tokens write it",
} as const;

export const entityId = {
  ...text,
  description: "the entity id of the identity provider: 1 to 255 characters, as it writes it",
} as const;

/** What is said of every issuer, whatever its tokens are. */
const terms = {
  name,
  audience: text,
  clockSkew: duration,
  until: { type: "string", enum: ["cgroup", "token"] },
  for: duration,
  agents: { ...names, items: name },
} as const;

const issuer = {
  type: "object",
  additionalProperties: false,
  required: ["name", "issuer", "audience"],
  properties: {
    ...terms,
    issuer: issuerUrl,
    algorithms: { ...names, items: { type: "string", enum: [...TOKEN_ALGORITHMS] } },
    groups: groupsBy("claim", claim),
    claims: { ...names, items: claim },
    match: matchBy(claim),
    ca: path,
  },
} as const;

const provider = {
  type: "object",
  additionalProperties: false,
  required: ["name", "entityId", "certificates", "audience"],
  properties: {
    ...terms,
    entityId,
    certificates: { ...names, maxItems: SAML_CERTIFICATES_MAX, items: path },
    recipient: text,
    groups: groupsBy("attribute", text),
    claims: {
      type: "object",
      minProperties: 1,
      maxProperties: ISSUER_ENTRIES_MAX,
      propertyNames: claim,
      additionalProperties: text,
      description: 'a mapping of names for facts to attributes, e.g. { team: "urn:oid:2.5.4.11" }',
    },
    match: matchBy(text),
  },
} as const;

export const issuersSchema = { type: "array", maxItems: ISSUERS_MAX, items: issuer } as const;

export const providersSchema = { type: "array", maxItems: ISSUERS_MAX, items: provider } as const;

/** The name of what has the groups, or a mapping of what it says to ours. */
export function groupsBy<Key extends string>(key: Key, value: object) {
  return {
    if: { type: "object" },
    // biome-ignore lint/suspicious/noThenProperty: JSON Schema calls it so
    then: {
      type: "object",
      additionalProperties: false,
      required: [key, "names"],
      properties: {
        [key]: value,
        names: {
          type: "object",
          minProperties: 1,
          maxProperties: 1_000,
          propertyNames: text,
          additionalProperties: { ...names, items: label },
        },
      },
    },
    else: value,
  } as const;
}

function matchBy(key: object) {
  return {
    type: "object",
    minProperties: 1,
    maxProperties: ISSUER_ENTRIES_MAX,
    propertyNames: key,
    additionalProperties: text,
  } as const;
}
