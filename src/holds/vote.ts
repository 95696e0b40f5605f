/** One person's answer as it is kept: who they are, and by which rights they answer. */
import type { Clock } from "../base/clock.ts";
import { userFields } from "../model/event.ts";
import { groupsThatCount, type Judging, loansThatCount, type Person } from "./entitled.ts";
import type { HoldRecord, Vote } from "./record.ts";
import type { Answer } from "./scope.ts";
import { loanWords } from "./words.ts";

/** Of somebody who may answer. */
export function voteOf(
  record: HoldRecord,
  { forMs, comment }: Answer,
  person: Person,
  judging: Judging & { readonly clock: Clock },
): Vote {
  const { uid, user, accounts, by, reach } = person;
  const groups = groupsThatCount(record, person);
  const loans = loansThatCount(record, person, judging);
  const called = user === "" ? `uid ${uid}` : user;
  const rights = [...groups, ...loans.map(loanWords)].join(", ");
  const lent = loans.map(({ delegation, group }) => ({ delegation, group }));
  return {
    ...{ ...userFields(uid), name: reach === "every" ? called : `${called} (${rights})`, accounts, reach, groups },
    ...(by === undefined ? {} : { by }),
    ...(lent.length === 0 ? {} : { lent }),
    atMs: judging.clock.nowMs(),
    ...(forMs === undefined ? {} : { forMs }),
    ...(comment === undefined || comment === "" ? {} : { comment }),
  };
}

/** Under which it was given. */
export function delegationsOf({ lent = [] }: Vote): readonly string[] {
  return lent.map(({ delegation }) => delegation);
}
