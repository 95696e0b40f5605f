/** Whether what is about to be written carries one of our own masks: then it would replace what the mask hides. */
import { mayHoldMark } from "../masking/marks.ts";
import type { Masker } from "../masking/mask.ts";
import type { Asked } from "../model/operation.ts";
import type { Protocol } from "../model/protocol.ts";

/** The style of the first mask that is found. Where the protocol cannot tell literals from the rest, all of the text counts. */
export function maskWritten(
  { text, parameters, isData }: Asked,
  bytes: Uint8Array,
  protocol: Protocol,
  masker: Masker,
): string | undefined {
  if (isData === true) return masker.markIn(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  for (const parameter of parameters ?? []) {
    const found = parameter === null ? undefined : masker.markIn(parameter);
    if (found !== undefined) return found;
  }
  if (!mayHoldMark(text) && !text.includes("\\")) return undefined; // an escape may spell one
  for (const literal of protocol.literalsOf?.(text) ?? [text]) {
    const found = masker.markIn(literal);
    if (found !== undefined) return found;
  }
  return undefined;
}
