/** PostgreSQL's types by OID, as far as masks must know them. A table. */
import type { ValueKind } from "../../model/mask.ts";

/** From here on OIDs are of types that were created: enums, domains' bases, extensions, composites. */
const FIRST_NORMAL_OID = 16_384;
const TEXT_TYPES = new Set([18, 19, 25, 142, 705, 1042, 1043, 1790, 2249, 2275, 2287, 3614, 3615, 4072]);
const JSON_TYPES = new Set([114, 3802]);
const TEXT_ARRAYS = new Set([143, 199, 1002, 1003, 1009, 1014, 1015, 3807]);
/** Types whose binary form is their text, so that a changed text is still a value of the type. */
export const PLAIN_BINARY = new Set([18, 19, 25, 142, 705, 1042, 1043, 1790, 2275]);

/** What kind of text the values of a type are, by type OID. */
export function kindOf(typeOid: number): ValueKind {
  if (JSON_TYPES.has(typeOid)) return "json";
  if (TEXT_ARRAYS.has(typeOid)) return "text-array";
  return TEXT_TYPES.has(typeOid) || typeOid >= FIRST_NORMAL_OID ? "text" : "other";
}
