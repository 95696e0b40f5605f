/** What the API may ask about held actions: who the caller is becomes who may see and answer. Decides nothing else. */
import type { ApprovalListing, ApprovalPorts, ApprovalVote, SimilarApproval } from "../../control/approvals.ts";
import { bar, type Judging, maySee, type Person } from "../../holds/entitled.ts";
import { demandWords, isCounted, missing } from "../../holds/quorum.ts";
import type { HoldRecord, Vote } from "../../holds/record.ts";
import { delegationsOf } from "../../holds/vote.ts";
import { callerNow, personOf } from "./callers.ts";
import type { PortParts } from "./parts.ts";

export function approvalPorts(parts: PortParts): ApprovalPorts {
  const { holds, humans } = parts;
  const judging: Judging = { humansOf: humans.people.humansOf, standing: humans.delegations.loan };
  const listed = (record: HoldRecord, person: Person) => listing(record, person, judging);
  return {
    async list({ all, limit }, caller) {
      const person = await personOf(caller, parts);
      const records = all ? await holds.all(limit) : holds.list();
      return records.filter((record) => maySee(record, person)).map((record) => listed(record, person));
    },
    async show(id, caller) {
      const person = await personOf(caller, parts);
      const record = await holds.get(id);
      if (record === undefined || !maySee(record, person)) return undefined;
      return { ...listed(record, person), similar: (await holds.similar(record)).map(similarOf) };
    },
    async approve(id, answer, caller) {
      const person = await personOf(caller, parts);
      return listed(await holds.approve(id, answer, person), person);
    },
    async deny(id, answer, caller) {
      const person = await personOf(caller, parts);
      return listed(await holds.deny(id, answer, person), person);
    },
    watch(caller, onChange) {
      // Groups are asked for anew each time: who leaves one sees nothing more.
      let told: Promise<unknown> = Promise.resolve();
      let isOpen = true;
      const tell = (record: HoldRecord) => {
        told = told.then(async () => {
          const asking = callerNow(caller, humans);
          const person = asking && (await personOf(asking, parts));
          if (isOpen && person !== undefined && maySee(record, person))
            onChange({ kind: "approval", approval: listed(record, person) });
        });
      };
      for (const record of holds.list()) tell(record);
      const stop = holds.watch(tell);
      return () => {
        isOpen = false;
        stop();
      };
    },
  };
}

function listing(record: HoldRecord, person: Person, judging: Judging): ApprovalListing {
  const { origin, demands, votes, denied, shape: _shape, likeness: _likeness, policy: _policy, ...rest } = record;
  const { pid, user, executable, processes } = origin;
  const lacking = record.state === "waiting" ? missing(record, judging) : undefined;
  const barred = bar(record, person, judging);
  const isVain = (vote: Vote) => record.state === "waiting" && !isCounted(record, vote, judging);
  return {
    ...rest,
    ...{
      pid,
      user,
      executable,
      processes,
      approvers: demands.map(demandWords),
      answers: votes.map((vote) => ({ ...voteOf(vote), ...(isVain(vote) ? { counts: false } : {}) })),
    },
    ...(lacking === undefined ? {} : { missing: lacking }),
    ...(denied === undefined ? {} : { denied: voteOf(denied) }),
    ...(barred === undefined ? {} : { barred }),
  };
}

function voteOf(vote: Vote): ApprovalVote {
  const { name, accounts, atMs, forMs, comment } = vote;
  const delegations = delegationsOf(vote);
  return {
    ...{ name, account: accounts.join(" "), atMs },
    ...(forMs === undefined ? {} : { forMs }),
    ...(comment === undefined ? {} : { comment }),
    ...(delegations.length === 0 ? {} : { delegations }),
  };
}

function similarOf({ id, agent, openedMs, state, votes, denied, result }: HoldRecord): SimilarApproval {
  const by = denied === undefined ? votes.map(({ name }) => name) : [denied.name];
  return { id, agent, openedMs, state, by, ...(result === undefined ? {} : { result }) };
}
