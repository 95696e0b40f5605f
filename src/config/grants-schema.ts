/** The shape of `grants` in the settings. What a schema cannot say is checked in config/grants.ts. */
import { GRANT_ENTRIES_MAX, GRANTS_MAX } from "../base/limits.ts";
import { duration, name } from "./schema-parts.ts";

const names = { type: "array", minItems: 1, maxItems: GRANT_ENTRIES_MAX, uniqueItems: true, items: name } as const;

const grant = {
  type: "object",
  additionalProperties: false,
  required: ["name", "agents", "connections"],
  properties: {
    name,
    agents: names,
    connections: {
      if: { type: "array" },
      // biome-ignore lint/suspicious/noThenProperty: JSON Schema calls it so
      then: names,
      else: { type: "string", enum: ["*"] },
    },
    when: { type: "string", minLength: 1, maxLength: 10_000, description: "a condition, as rules have them" },
    for: duration,
    until: {
      type: "string",
      pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$",
      description: 'a moment with its zone, quoted, e.g. "2026-12-24T18:00:00Z"',
    },
  },
} as const;

export const grantsSchema = { type: "array", maxItems: GRANTS_MAX, items: grant } as const;
