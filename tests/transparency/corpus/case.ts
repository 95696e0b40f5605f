/** What the corpus is made of: tables of statements, each played in every mode, and conversations by hand. */
import type { Stage, Version } from "../wire/stage.ts";

export const MODES = ["simple", "multi", "extended", "prepared", "pipelined", "binary"] as const;
export type Mode = (typeof MODES)[number];

export const MODE_WORDS: Readonly<Record<Mode | "conversation", string>> = {
  simple: "one Query each",
  multi: "several statements in one Query",
  extended: "Parse, Bind, Describe, Execute, Sync with the unnamed statement",
  prepared: "a named statement, described once or never, run twice, closed",
  pipelined: "several Parse, Bind and Execute before one Sync, some with Flush and with an error in the middle",
  binary: "the extended protocol with results in binary",
  conversation: "written by hand, message by message",
};

/** Statements that are played one after the other on one connection, anew in each mode. */
export interface Topic {
  readonly title: string;
  readonly statements: readonly string[];
  /** Each between BEGIN and ROLLBACK, so that the next mode finds the same state. */
  readonly undone?: boolean;
  /** Each builds on those before it: the quick run plays all of them, in one mode. */
  readonly isStory?: boolean;
  /** Others than all. */
  readonly modes?: readonly Mode[];
}

/** A conversation by hand. */
export interface Conversation {
  readonly name: string;
  /** What it has the server run; counted. */
  readonly statements: readonly string[];
  readonly from?: Version;
  /** Left out of the quick run, because it takes long. */
  readonly isLong?: boolean;
  play(stage: Stage): Promise<void>;
}

export interface ConversationTopic {
  readonly title: string;
  readonly conversations: readonly Conversation[];
}

/** One unit of the run: what it makes both sides hear is compared as a whole. */
export interface Case {
  readonly name: string;
  readonly topic: string;
  readonly mode: Mode | "conversation";
  readonly statements: readonly string[];
  play(stage: Stage): Promise<void>;
}
