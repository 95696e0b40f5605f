/** Every attack, by group. */
import type { Attack, Group } from "./attack.ts";
import { CODE } from "./attacks/code.ts";
import { CORNERS } from "./attacks/corners.ts";
import { CURSORS } from "./attacks/cursors.ts";
import { ERRORS } from "./attacks/errors.ts";
import { PROTOCOL } from "./attacks/protocol.ts";
import { READING } from "./attacks/reading.ts";
import { SIDE } from "./attacks/side.ts";
import { TYPES } from "./attacks/types.ts";
import { VALUES } from "./attacks/values.ts";
import { WRITING } from "./attacks/writing.ts";

export const GROUPS: readonly Group[] = [
  ...READING,
  ...CORNERS,
  ...TYPES,
  ...VALUES,
  ...WRITING,
  ...CURSORS,
  ...ERRORS,
  ...SIDE,
  ...CODE,
  ...PROTOCOL,
];

export interface Placed {
  readonly group: string;
  readonly attack: Attack;
}

export const ALL: readonly Placed[] = GROUPS.flatMap(({ title, attacks }) =>
  attacks.map((attack) => ({ group: title, attack })),
);
