/** Telling of held actions and taking answers, bound to this daemon: whose account is whose is what the settings say now. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { AnswersDoor } from "../control/doors/answers.ts";
import type { Judging, Person } from "../holds/entitled.ts";
import type { LiveHolds } from "../holds/holds.ts";
import type { Humans } from "../identity/humans/humans.ts";
import type { AuditEvent } from "../model/event.ts";
import type { Person as Named } from "../model/human.ts";
import type { NotifySettings } from "../model/notify.ts";
import type { SecretRef } from "../model/sink.ts";
import { Answers } from "../notify/answers.ts";
import { Notifier } from "../notify/notifier.ts";
import { createTeller } from "../notify/slack-reply.ts";
import { chatHuman } from "./chat-human.ts";
import { type CallerParts, personOf } from "./ports/callers.ts";
import { VERSION } from "./version.ts";

export interface NotifyParts extends Judging, Pick<CallerParts, "groupsOf" | "lentTo"> {
  readonly clock: Clock;
  readonly log: Log;
  readonly emit: (event: AuditEvent) => void;
  readonly readSecret: (reference: SecretRef) => Promise<Buffer>;
  readonly holds: LiveHolds;
  readonly humans: Humans;
  /** Whom the settings name. */
  readonly people: () => readonly Named[];
  readonly settings: () => NotifySettings;
  readonly uidOf: (user: string) => Promise<number | undefined>;
}

export interface Notify {
  readonly notifier: Notifier;
  readonly door: AnswersDoor;
  /** To be called once a second. */
  tend(): void;
  close(): Promise<void>;
}

export function createNotify(parts: NotifyParts): Notify {
  const { clock, log, emit, readSecret, holds, humans, settings, uidOf, groupsOf, lentTo } = parts;
  const world = { readSecret, nowMs: clock.nowMs, version: VERSION };
  const { humansOf, standing } = parts;
  const notifier = new Notifier({ clock, log, emit, world, holds, humansOf, standing });
  const targets = () => settings().targets;
  const userCalled = async (user: string): Promise<Person | undefined> => {
    const uid = await uidOf(user);
    if (uid === undefined) return undefined;
    const known = { userOf: () => user, groupsOf, loginUidOf: () => undefined, lentTo };
    return personOf({ roles: new Set(), pid: 0, uid }, known);
  };
  const humanCalled = (account: string) =>
    chatHuman(account, { people: parts.people(), humans, humansOf, uidOf, groupsOf, lentTo });
  const answers = new Answers({
    ...{ clock, emit, readSecret, holds, targets },
    humanOf: (account, target) =>
      Object.hasOwn(target.answers, account) ? userCalled(target.answers[account] ?? "") : humanCalled(account),
    tellSender: createTeller({ readSecret, version: VERSION, log }),
  });
  const door = new AnswersDoor(answers, log);
  return {
    ...{ notifier, door },
    tend() {
      notifier.tend();
      answers.tend();
    },
    async close() {
      notifier.close();
      await door.close();
    },
  };
}

/** Files that only the daemon reads for its targets: a command that runs as root inside an agent must not find them. */
export function notifySecrets({ targets }: NotifySettings): readonly string[] {
  const references = targets.flatMap(({ url, secret }) => (secret === undefined ? [url] : [url, secret]));
  return [...new Set(references.flatMap((reference) => ("file" in reference ? [reference.file] : [])))];
}
