/** The shape of `identity.logins`, `roles` and `humans` in the settings; config/humans.ts checks what a schema cannot say. */
import { APPROVERS_MAX, HUMAN_ACCOUNTS_MAX, HUMANS_NAMED_MAX, LOGINS_MAX, ROLE_GROUPS_MAX } from "../base/limits.ts";
import { TOKEN_ALGORITHMS } from "../model/issuer.ts";
import { GIVEN_ROLES } from "../model/role.ts";
import { claim, groupsBy, issuerUrl, names } from "./identity-schema.ts";
import { duration, name, path, reference, text, unixName } from "./schema-parts.ts";

const login = {
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
    session: { type: "object", additionalProperties: false, properties: { idle: duration, lasts: duration } },
    ca: path,
  },
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
