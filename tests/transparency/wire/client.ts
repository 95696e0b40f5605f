/**
 * The program that plays the corpus against one side: a job in a file, one line of JSON for each case on stdout. The
 * same file runs directly and as an agent, and knows of no difference.
 */
import { readFileSync } from "node:fs";
import { type Chapter, chaptersOf, statedOf } from "../corpus/corpus.ts";
import { Stage, type Version } from "./stage.ts";
import type { Heard, Server } from "./talk.ts";

export interface Job {
  readonly server: Server;
  readonly version: Version;
  readonly seed: number;
  readonly oneIn: number;
  readonly parts: readonly ("corpus" | "stated")[];
  /** Only chapters of the corpus whose name holds this. */
  readonly only: string;
  readonly waitMs: number;
}

export interface Report {
  readonly name: string;
  readonly heard: readonly Heard[];
  /** The case itself broke. */
  readonly fault?: string;
}

const job = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Job;
const stage = new Stage(job);
const chapters: readonly Chapter[] = [
  ...(job.parts.includes("corpus") ? chaptersOf(job).filter(({ name }) => name.includes(job.only)) : []),
  ...(job.parts.includes("stated") ? [statedOf(job)] : []),
];
for (const { cases, isShared } of chapters) {
  for (const { name, play } of cases) {
    const fault = await play(stage).then(
      () => undefined,
      (error: Error) => error.stack ?? error.message,
    );
    const report: Report = { name, heard: stage.heard(), ...(fault === undefined ? {} : { fault }) };
    process.stdout.write(`${JSON.stringify(report)}\n`);
  }
  if (!isShared) stage.endChapter();
}
stage.end();
