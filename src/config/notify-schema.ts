/** The shape of `notify` in the settings. Which key belongs to which kind of target is checked in config/notify.ts. */
import { APPROVERS_MAX, NOTIFY_ACCOUNTS_MAX, NOTIFY_TARGETS_MAX } from "../base/limits.ts";
import { GROUP } from "../policy/outcomes.ts";
import { name, path, reference, unixName } from "./schema-parts.ts";

/** As rules name approvers. */
const group = { type: "string", pattern: GROUP.source, description: "a group as rules name it" } as const;

const target = {
  type: "object",
  additionalProperties: false,
  required: ["name", "kind", "url"],
  properties: {
    name,
    kind: { type: "string", enum: ["slack", "teams", "webhook"] },
    url: reference,
    secret: reference,
    team: { type: "string", pattern: "^[A-Z0-9]{2,32}$", description: "the id of a Slack workspace" },
    tenant: {
      type: "string",
      pattern: "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
      description: "the id of a Microsoft Entra tenant",
    },
    on: {
      type: "array",
      minItems: 1,
      uniqueItems: true,
      items: { type: "string", enum: ["held", "answered", "expired", "ended"] },
    },
    groups: { type: "array", minItems: 1, maxItems: APPROVERS_MAX, uniqueItems: true, items: group },
    show: { type: "string", enum: ["ids", "statements"] },
    ca: path,
    answers: {
      type: "object",
      minProperties: 1,
      maxProperties: NOTIFY_ACCOUNTS_MAX,
      propertyNames: {
        type: "string",
        pattern: "^(slack|teams|webhook):[A-Za-z0-9-]{1,64}/[A-Za-z0-9._@+-]{1,128}$",
        description: 'an account: "slack:TEAM/USER", "teams:TENANT/OBJECT" or "webhook:NAME/USER"',
      },
      additionalProperties: unixName,
    },
  },
} as const;

export const notifySchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    listen: {
      type: "string",
      minLength: 1,
      maxLength: 60,
      description: 'an address of loopback with a port, e.g. "127.0.0.1:8787"',
    },
    targets: { type: "array", maxItems: NOTIFY_TARGETS_MAX, items: target },
  },
} as const;
