/**
 * What the server reports of its settings. Some of them decide how it reads text; were they another
 * than the parser assumes, one text would be two different statements to the two of them.
 */
import { isHarmlessEncoding } from "./harmless.ts";

/** Whether a session cannot go on when the server reports this value. */
export function forbiddenParameter(name: string, value: string): boolean {
  switch (name) {
    case "standard_conforming_strings":
      return value !== "on";
    case "backslash_quote":
      return value !== "safe_encoding";
    case "client_encoding":
      return !isHarmlessEncoding(value);
    default:
      return false;
  }
}

/** Parameters that every server reports at login and without which a session cannot begin. */
export const NEEDED_PARAMETERS = ["standard_conforming_strings", "client_encoding"] as const;
