/**
 * The JSON Schema of policy files, for editors: docs/policy.schema.json is what this makes. It says no more than the
 * loader demands; what it cannot say (types in conditions, names that differ) `policy check` says.
 */
import { APPROVERS_MAX, LIMIT_COUNT_MAX, QUORUM_MAX } from "../base/limits.ts";
import type { ActionDeclaration } from "../model/operation.ts";
import { OWN_ACTIONS, REVEAL } from "./facts.ts";
import { GROUP, MESSAGE_LENGTH_MAX, OUTCOMES, STYLES } from "./outcomes.ts";
import { RULE_NAME } from "./schema.ts";

const MESSAGE = { type: "string", minLength: 1, maxLength: MESSAGE_LENGTH_MAX, description: "What the agent reads." };
const DURATION = { type: "string", pattern: "^([0-9]{1,6}[smhd])+$", description: "30s, 10m, 2h, 1d" };
const COUNT = { type: "integer", minimum: 1, maximum: LIMIT_COUNT_MAX };
const GROUPS = { type: "array", maxItems: APPROVERS_MAX, items: { type: "string", pattern: GROUP.source } };

const OUTCOME_SCHEMAS = {
  allow: { ...object({}), description: "Permits the action, unless another rule denies or holds it." },
  deny: { ...object({ message: MESSAGE }), description: "Refuses the action, whatever allows it." },
  hold: {
    ...object(
      {
        approvers: { anyOf: [GROUPS, object({ each: { ...GROUPS, minItems: 1 } }, ["each"])] },
        quorum: { type: "integer", minimum: 1, maximum: QUORUM_MAX },
        escalate: object({ after: DURATION, to: { ...GROUPS, minItems: 1 } }, ["after", "to"]),
        expires: DURATION,
        reuse: DURATION,
        message: MESSAGE,
      },
      ["approvers"],
    ),
    description: "Waits for a human.",
  },
  limit: {
    ...object({ rows: COUNT, bytes: COUNT, statements: COUNT, per: DURATION, message: MESSAGE }),
    anyOf: [{ required: ["rows"] }, { required: ["bytes"] }, { required: ["statements", "per"] }],
    description: "Refuses what the rule covers once so much of it has passed. It allows nothing by itself.",
  },
  mask: { ...object({ style: { enum: STYLES } }, ["style"]), description: `For "on: ${REVEAL}" only.` },
};

export function policySchema(catalogue: readonly ActionDeclaration[]) {
  const actions = [...OWN_ACTIONS, ...catalogue];
  const action = { anyOf: actions.map(({ name, about }) => ({ const: name, description: about })) };
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Sallyport policy",
    ...object({ rules: { type: ["array", "null"], items: { $ref: "#/definitions/rule" } } }, ["rules"]),
    definitions: {
      action,
      rule: {
        ...object(
          {
            name: { type: "string", pattern: RULE_NAME.source, description: "Told in refusals and recordings." },
            on: {
              anyOf: [
                { $ref: "#/definitions/action" },
                { type: "array", minItems: 1, items: { $ref: "#/definitions/action" } },
              ],
            },
            when: { type: "string", description: "A condition in CEL; without it the rule always matches." },
            shadow: { type: "boolean", description: "Counted and told, never applied." },
            ...OUTCOME_SCHEMAS,
          },
          ["name", "on"],
        ),
        oneOf: OUTCOMES.map((outcome) => ({ required: [outcome] })),
      },
    },
  };
}

function object(properties: object, required: readonly string[] = []) {
  return { type: "object", additionalProperties: false, properties, ...(required.length > 0 && { required }) };
}
