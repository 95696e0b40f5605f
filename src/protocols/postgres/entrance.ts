/**
 * What a session asks first: its connection. The same for the same database and user, so that whoever keeps something of an
 * operation (what is recorded of it) has it for the next session, too.
 */
import { ENTRANCES_CHARACTERS_MAX, ENTRANCES_MAX } from "../../base/limits.ts";
import type { Asked } from "../../model/operation.ts";
import { TextCache } from "./analysis/cache.ts";

const known = new TextCache<readonly Asked[]>(ENTRANCES_MAX, ENTRANCES_CHARACTERS_MAX);

export function connectAsked(database: string, user: string): readonly Asked[] {
  const key = JSON.stringify([database, user]);
  const kept = known.get(key);
  if (kept !== undefined) return kept;
  const facts = Object.freeze({ database, user });
  const operation = Object.freeze({ actions: Object.freeze([Object.freeze({ name: "connect", facts })]) });
  const asked = Object.freeze([Object.freeze({ operation, text: `connect to ${database}` })]);
  known.set(key, asked);
  return asked;
}
