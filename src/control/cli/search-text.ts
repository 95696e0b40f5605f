/** What a search found, as a person reads it: also what it could not know. Prints nothing by itself. */
import { TOO_LONG_BY } from "../../model/mask.ts";
import type { FoundEntry, FoundSession, Looked, SearchAnswer } from "../../model/search.ts";
import { count, duration, moment, printable, printableLines, table } from "./show.ts";
import type { Colours } from "./world.ts";

const INDENT = "    ";

export function answerLines(answer: SearchAnswer, colours: Colours): string[] {
  const { by, sessions, entries, totals, looked, interrupted, unread, lag, next } = answer;
  const isNothing = sessions.length === 0 && entries.length === 0;
  return [
    ...(isNothing
      ? ["nothing found"]
      : by === "sessions"
        ? sessionLines(sessions, colours)
        : entries.map((entry) => entryLines(entry, colours))),
    ...(totals === undefined
      ? []
      : [`${count(totals.sessions, "session")}, ${count(totals.masked, "value")} masked, ${totals.shown} shown`]),
    ...looked.map((one) => lookedLine(one, colours)),
    ...(interrupted === 0
      ? []
      : [
          colours.yellow(
            `${count(interrupted, "session")} that fit ended in a crash: what was read last may not be recorded`,
          ),
        ]),
    ...(unread === 0
      ? []
      : [
          colours.yellow(
            `${count(unread, "session")} that fit could not be read in full (sealed, damaged, or the disk was full): what is in the rest is not known`,
          ),
        ]),
    ...(next === undefined ? [] : [colours.dim(`more: --cursor ${printable(next)}`)]),
    lagLine(lag, colours),
  ];
}

function sessionLines(sessions: readonly FoundSession[], colours: Colours): string[] {
  const asksValues = sessions.some(({ findings }) => findings.length > 0);
  const sum = (session: FoundSession, fate: "masked" | "shown") =>
    String(session.findings.reduce((all, finding) => all + finding[fate], 0));
  const values = [
    { title: "MASKED", cell: (one: FoundSession) => sum(one, "masked"), align: "right" },
    { title: "SHOWN", cell: (one: FoundSession) => sum(one, "shown"), align: "right" },
    {
      title: "COLUMNS",
      cell: (one: FoundSession) => [...new Set(one.findings.map(placeOf))].join(", "),
    },
  ] as const;
  const columns = [
    { title: "SESSION", cell: ({ id }: FoundSession) => id },
    { title: "STARTED", cell: ({ startedMs }: FoundSession) => moment(startedMs) },
    { title: "AGENT", cell: ({ agent }: FoundSession) => agent },
    { title: "CONNECTION", cell: ({ connection }: FoundSession) => connection },
    { title: "WHO", cell: ({ user, executable, pid }: FoundSession) => `${user} ${executable} (${pid})` },
    { title: "FOUND", cell: ({ entries }: FoundSession) => (entries === 0 ? "" : String(entries)), align: "right" },
    ...(asksValues ? values : []),
  ] as const;
  return [table(sessions, columns, colours)];
}

function placeOf({ column, by }: FoundSession["findings"][number]): string {
  return by === `detector:${TOO_LONG_BY}` ? `${column} (too long to be searched)` : column;
}

function entryLines(entry: FoundEntry, colours: Colours): string {
  const { kind, atMs, lastMs, count: many, session, number, agent, connection, decision, rules, text, message } = entry;
  const times = many === 1 ? "" : ` ${many} times until ${moment(lastMs)}`;
  const what = kind === "operation" ? (decision ?? "") : kind;
  const where = [agent, connection, session ?? "", number === undefined ? "" : `entry ${number}`].filter(
    (one) => one !== "",
  );
  const folded = entry.folded ? " (and others of the same facts, whose text is not kept)" : "";
  const by = rules.length === 0 ? "" : `, rules: ${rules.map(printable).join(", ")}`;
  const found = entry.findings.map(
    ({ column, by, masked, shown }) => `${printable(column)} by ${printable(by)}: ${masked} masked, ${shown} shown`,
  );
  return [
    `${colours.dim(moment(atMs))}  ${colours.bold(printable(what))}  ${where.map(printable).join(" · ")}${times}${by}`,
    ...(text === "" ? [] : [INDENT + printableLines(text, INDENT) + colours.dim(folded)]),
    ...(message === "" ? [] : [INDENT + printableLines(message, INDENT)]),
    ...(found.length === 0 ? [] : [INDENT + colours.dim(found.join(" · "))]),
  ].join("\n");
}

/** A number, or a notice, can carry a value past every detector: an auditor has to know. */
const WHERE = "in texts and JSON of answers; not in numbers, bytes, notices and errors";

/** "Never" is said only where it was looked for. */
function lookedLine(looked: Looked, colours: Colours): string {
  const { detector, sessions, notLooked, partly, notLookedFromMs, notLookedToMs, examples } = looked;
  const name = printable(detector);
  if (sessions === 0) return `${name}: no session fits`;
  if (notLooked + partly === 0) return `${name} was looked for in all of ${count(sessions, "session")}, ${WHERE}`;
  const when =
    notLookedFromMs === undefined || notLookedToMs === undefined
      ? ""
      : notLookedFromMs === notLookedToMs
        ? ` (${moment(notLookedFromMs)})`
        : ` (${moment(notLookedFromMs)} to ${moment(notLookedToMs)})`;
  const some = examples.length === 0 ? "" : `, e.g. ${examples.map(printable).join(", ")}`;
  const parts = partly === 0 ? "" : `; in ${partly} a part of the time`;
  return colours.yellow(
    `${name} was not looked for in ${notLooked} of ${count(sessions, "session")}${when}${some}${parts}`,
  );
}

function lagLine(
  { sessions, segments, events, oldestMs, indexedUpToMs }: SearchAnswer["lag"],
  colours: Colours,
): string {
  const upTo = indexedUpToMs === 0 ? "nothing is indexed yet" : `indexed up to ${moment(indexedUpToMs)}`;
  if (oldestMs === 0) return colours.dim(upTo);
  const waits = `${count(sessions, "session")}, ${count(segments, "segment")} and ${count(events, "event")} wait, the oldest for ${duration(oldestMs)}`;
  return colours.yellow(`${upTo}; ${waits}`);
}
