/** The shape of `identity.logins`, `roles` and `humans` in the settings; config/humans.ts checks what a schema cannot say. */
import {
  APPROVERS_MAX,
  HUMAN_ACCOUNTS_MAX,
  HUMANS_NAMED_MAX,
  LOGINS_MAX,
  ROLE_GROUPS_MAX,
  SAML_CERTIFICATES_MAX,
} from "../base/limits.ts";
import { TOKEN_ALGORITHMS } from "../model/issuer.ts";
import { GIVEN_ROLES } from "../model/role.ts";
import { claim, entityId, groupsBy, issuerUrl, names } from "./identity-schema.ts";
import { duration, name, path, reference, text, unixName } from "./schema-parts.ts";

const session = {
  type: "object",
  additionalProperties: false,
  properties: { idle: duration, lasts: duration },
} as const;

const oidc = {
  type: "object",
  additionalProperties: false,
  required: ["name", "issuer", "clientId"],
  properties: {
    name,
    issuer: issuerUrl,
    clientId: text,
    clientSecret: reference,
    algorithms: { ...names, items: { type: "string", enum: [...TOKEN_ALGORITHMS] } },
    scopes: {
      ...names,
      items: {
        type: "string",
        pattern: "^[!#-\\[\\]-~]{1,255}$",
        description: "a scope: printable characters without spaces and quotes",
      },
    },
    groups: groupsBy("claim", claim),
    subject: claim,
    displayName: claim,
    session,
    ca: path,
  },
} as const;

const saml = {
  type: "object",
  additionalProperties: false,
  required: ["name", "entityId", "signOn", "certificates", "audience", "recipient"],
  properties: {
    name,
    entityId,
    signOn: {
      type: "string",
      maxLength: 2_000,
      pattern: "^https://[^\\u0000-\\u0020#@]+$",
      description: "an https URL without user and fragment",
    },
    certificates: { ...names, maxItems: SAML_CERTIFICATES_MAX, items: path },
    audience: text,
    recipient: {
      type: "string",
      maxLength: 255,
      pattern: "^http://127\\.0\\.0\\.1:[1-9][0-9]{3,4}/[A-Za-z0-9._/-]*$",
      description:
        "http://127.0.0.1:PORT/PATH, as it is registered at the identity provider, its port from 1024 to 65535",
    },
    clockSkew: duration,
    groups: groupsBy("attribute", text),
    subject: text,
    displayName: text,
    session,
  },
} as const;

/** Who names an entity id means SAML. */
const login = {
  if: { type: "object", required: ["entityId"], properties: { entityId: {} } },
  // biome-ignore lint/suspicious/noThenProperty: JSON Schema calls it so
  then: saml,
  else: oidc,
} as const;

export const loginsSchema = { type: "array", maxItems: LOGINS_MAX, items: login } as const;

const roleGroups = { type: "array", minItems: 1, maxItems: ROLE_GROUPS_MAX, uniqueItems: true, items: text } as const;

export const rolesSchema = {
  type: "object",
  additionalProperties: false,
  properties: Object.fromEntries(GIVEN_ROLES.map((role) => [role, roleGroups])),
} as const;

export const humansSchema = {
  type: "array",
  maxItems: HUMANS_NAMED_MAX,
  items: {
    type: "object",
    additionalProperties: false,
    required: ["name", "is"],
    properties: {
      name,
      is: {
        type: "array",
        minItems: 1,
        maxItems: HUMAN_ACCOUNTS_MAX,
        uniqueItems: true,
        items: { ...text, maxLength: 1_100, description: 'an account: "LOGIN:SUBJECT", "unix:USER" or of a chat' },
      },
      groups: { type: "array", minItems: 1, maxItems: APPROVERS_MAX, uniqueItems: true, items: unixName },
    },
  },
} as const;
