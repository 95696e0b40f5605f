/** Shapes that routes of several subjects share. */
import { API_LIST_MAX, EVIDENCE_REASON_MAX, SAML_BYTES_MAX } from "../../base/limits.ts";
import type { GrantedConnections } from "../../model/grant.ts";
import { choice, integer, list, pattern, record, type Schema, STRING, text, union } from "./schema.ts";

export const NAME = pattern(
  "^[a-z0-9][a-z0-9-]{0,62}$",
  "a lower-case letter or digit, then at most 62 of these and dashes",
);
/** A ":name" in a path. */
export const STEP = pattern("^[A-Za-z0-9_.-]{1,128}$", "1 to 128 letters, digits, dots, dashes and underscores");
export const TEXT = text({ minLength: 1, maxLength: 4096 });
export const PID = integer(2, 4_194_304); // PID_MAX_LIMIT; 1 is never an agent
/** A signed JWT, or a SAML response. */
export const TOKEN = text({ minLength: 1, maxLength: SAML_BYTES_MAX });
/** Of Unix time. */
export const MOMENT = integer(0);
export const COUNT = integer(0);
/** Set, or left out. */
export const FLAG: Schema<"1"> = { type: "string", const: "1" };

export const GRANTED: Schema<GrantedConnections> = union(list(STRING), choice("*"));

/** What a listing returns unless told. */
export const LISTED = 100;
export const LIMIT: Schema<number> = { ...integer(1, API_LIST_MAX), default: LISTED };

export const NOTHING = record<Record<never, never>>({});
/** Of what is kept, or destroyed, for good. */
export const REASON = record<{ reason: string }>({ reason: text({ minLength: 1, maxLength: EVIDENCE_REASON_MAX }) });
