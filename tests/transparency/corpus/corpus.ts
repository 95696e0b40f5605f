/** The whole corpus in its order: chapters, each played on a connection of its own. */
import type { Version } from "../wire/stage.ts";
import { type Case, type Conversation, type ConversationTopic, MODES, type Topic } from "./case.ts";
import { COPIES } from "./copies.ts";
import { DEFINE_TOPICS } from "./define.ts";
import { ERROR_TOPICS } from "./errors.ts";
import { EVENTS } from "./events.ts";
import { FUNCTION_TOPICS } from "./functions.ts";
import { generatedTopics } from "./generated.ts";
import { LARGE } from "./large.ts";
import { casesOf } from "./modes.ts";
import { PARAMETERS } from "./parameters.ts";
import { PIPELINES } from "./pipelines.ts";
import { PORTALS } from "./portals.ts";
import { QUERY_TOPICS } from "./queries.ts";
import { SESSION_TOPICS } from "./sessions.ts";
import { STATED, STATED_PREFIX } from "./stated.ts";
import { TYPE_TOPICS } from "./types.ts";

export interface CorpusOptions {
  readonly version: Version;
  readonly seed: number;
  /** One case of each chapter in so many, and no long ones; 1 is all. */
  readonly oneIn: number;
}

export interface Chapter {
  readonly name: string;
  /** On a connection that the next chapter goes on with. */
  readonly isShared: boolean;
  readonly cases: readonly Case[];
}

const GENERATED = 600;

const CONVERSATIONS: readonly ConversationTopic[] = [
  { title: "parameters of every type", conversations: PARAMETERS },
  { title: "pipelines", conversations: PIPELINES },
  { title: "portals", conversations: PORTALS },
  { title: "copies", conversations: COPIES },
  { title: "events", conversations: EVENTS },
  { title: "large values", conversations: LARGE },
];

export function chaptersOf({ version, seed, oneIn }: CorpusOptions): readonly Chapter[] {
  const isWhole = oneIn === 1;
  const chapters = topicsOf(seed).flatMap((topic, place) => {
    const { modes = MODES, isStory = false } = topic;
    const own = isWhole || !isStory ? modes : [modes[place % modes.length] ?? "simple"];
    return own.map((mode, at): Chapter => {
      const cases = casesOf(topic, mode);
      // Modes start at different places, so that a statement's place in its table does not decide its mode.
      const chosen = isWhole || isStory ? cases : cases.filter((_, number) => (number + at) % oneIn === 0);
      return { name: `${topic.title}, ${mode}`, cases: chosen, isShared: !isWhole && !isStory };
    });
  });
  for (const { title, conversations } of CONVERSATIONS) {
    const own = conversations.filter(({ from = 15, isLong = false }) => from <= version && (isWhole || !isLong));
    const cases = own.map((conversation) => caseOf(title, conversation));
    chapters.push({
      name: title,
      isShared: false,
      cases: cases.filter((_, number) => number % Math.ceil(oneIn / 4) === 0),
    });
  }
  return chapters;
}

/** Not compared: each side must say what is stated of it. */
export function statedOf({ version, oneIn }: Pick<CorpusOptions, "version" | "oneIn">): Chapter {
  const own = STATED.filter(({ from = 15, isLong = false }) => from <= version && (oneIn === 1 || !isLong));
  return {
    name: "stated",
    isShared: false,
    cases: own.map(({ name, statements, play }) => ({
      name: STATED_PREFIX + name,
      topic: "stated",
      mode: "conversation",
      statements,
      play,
    })),
  };
}

function topicsOf(seed: number): readonly Topic[] {
  return [
    ...TYPE_TOPICS,
    ...FUNCTION_TOPICS,
    ...QUERY_TOPICS,
    ...generatedTopics(seed, GENERATED),
    ...DEFINE_TOPICS,
    ...SESSION_TOPICS,
    ...ERROR_TOPICS,
  ];
}

function caseOf(topic: string, { name, statements, play }: Conversation): Case {
  return {
    name: `${topic}/${name}`,
    topic,
    mode: "conversation",
    statements,
    play: async (stage) => {
      await play(stage);
      await stage.settle();
    },
  };
}
