/** One person's answer as it is kept: who they are, and by which rights they answer. */
import type { Clock } from "../base/clock.ts";
import { groupsThatCount, type Person } from "./entitled.ts";
import type { HoldRecord, Vote } from "./record.ts";
import type { Answer } from "./scope.ts";

/** Of somebody who may answer. */
export function voteOf(record: HoldRecord, { forMs, comment }: Answer, person: Person, clock: Clock): Vote {
  const { uid, user, accounts, by, reach } = person;
  const groups = groupsThatCount(record, person);
  const called = user === "" ? `uid ${uid}` : user;
  return {
    ...{ uid, name: reach === "every" ? called : `${called} (${groups.join(", ")})`, accounts, reach, groups },
    ...(by === undefined ? {} : { by }),
    atMs: clock.nowMs(),
    ...(forMs === undefined ? {} : { forMs }),
    ...(comment === undefined || comment === "" ? {} : { comment }),
  };
}
