/** For recordings and logs: whatever a detector finds becomes its name in brackets. Knows no policy. */
import { detect } from "./detectors.ts";

/** Every finding replaced by "[detector]". Scrubbing twice changes nothing more. */
export function scrub(text: string): string {
  let made = text;
  // Replacing can bring two halves next to each other in a way that is a finding of its own.
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const findings = detect(made);
    if (findings.length === 0) return made;
    let next = "";
    let at = 0;
    for (const { detector, start, end } of findings) {
      next += `${made.slice(at, start)}[${detector}]`;
      at = end;
    }
    made = next + made.slice(at);
  }
  return made;
}

/** One round nearly always finds all; each further one costs as much as the first. */
const ROUNDS_MAX = 4;
