/** JSON that can be read in one way only. A key that stands twice means one thing to us and another to somebody else. */
import { parseDocument } from "yaml";

export interface StrictJson {
  readonly value: unknown;
  /** It says something twice, or in a way that can be read otherwise; JSON.parse would say nothing. */
  readonly isAmbiguous: boolean;
}

/** Throws where the bytes are not UTF-8 or no JSON; the error may quote them and is not to be shown. */
export function readStrictJson(bytes: Uint8Array): StrictJson {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const value: unknown = JSON.parse(text);
  const { errors } = parseDocument(text, { schema: "json", uniqueKeys: true, prettyErrors: false });
  return { value, isAmbiguous: errors.length > 0 };
}
