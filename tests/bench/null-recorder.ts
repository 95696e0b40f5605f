/** A recorder that keeps nothing and costs nothing: the control of what recording costs. */
import type { Recorder } from "../../src/recorder/recorder.ts";

const NOTHING = new Uint8Array();
const COUNTS = { statements: 0, denied: 0, masked: 0, rows: 0 };

export async function createRecorder(): Promise<Recorder> {
  return {
    open: () => ({
      counts: COUNTS,
      asked: () => {},
      decided: () => {},
      answered: () => {},
      output: () => {},
      looking: () => {},
      flush: () => {},
      settle: () => undefined,
      standing: (asked) => ({ text: asked.text, action: NOTHING, decision: NOTHING, isStatement: true }),
      lend: () => undefined,
      take: () => {},
      end: async () => {},
    }),
    recoverOpen: async () => ({ interrupted: 0, indexed: 0 }),
    reindex: async () => 0,
    takeRoots: () => [],
    giveBack: () => {},
    lag: () => ({ bytes: 0, ageMs: 0 }),
    uncompressed: 0,
    close: async () => {},
  };
}
