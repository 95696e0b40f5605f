/**
 * What may happen to one message: each way takes whole bytes (with a type byte, except for a client's first packet)
 * and gives others. Makes no sense of them on purpose; "tidy" ways repair the length, so that readers get deeper.
 */
import type { Mutation } from "./bytes.ts";
import { GENTLE } from "./gentle.ts";
import type { Random } from "./random.ts";
import { ROUGH } from "./rough.ts";

export const MUTATIONS: readonly Mutation[] = [...GENTLE, ...ROUGH];

const GENTLE_DRAWS = drawsOf(GENTLE);
const DRAWS = drawsOf(MUTATIONS);

function drawsOf(mutations: readonly Mutation[]): readonly Mutation[] {
  return mutations.flatMap((mutation) => Array<Mutation>(mutation.weight).fill(mutation));
}

export function drawMutation(random: Random, isGentle: boolean): Mutation {
  return random.pick(isGentle ? GENTLE_DRAWS : DRAWS);
}
