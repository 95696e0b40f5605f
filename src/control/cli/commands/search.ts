/** search: who did what, and what was read. What agents wrote is shown printable only. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { API_LIST_MAX } from "../../../base/limits.ts";
import { SEARCH_TERMS, type SearchAnswer } from "../../../model/search.ts";
import { answerLines } from "../search-text.ts";
import type { OpenShell, Shell } from "../world.ts";

interface Options {
  readonly limit: number;
  readonly since?: string;
  readonly until?: string;
  readonly sessions?: true;
  readonly entries?: true;
  readonly cursor?: string;
  readonly reindex?: true;
}

export function addSearchCommand(program: Command, open: OpenShell): void {
  program
    .command("search [query...]")
    .description("find statements, sessions and events by words and facts")
    .option("--limit <number>", "how many at most", readLimit, 50)
    .option("--since <time>", "2026-11-01, 2026-11-01T09:30 or 7d (ago)")
    .option("--until <time>", "the same; of a day alone, its end")
    .addOption(new Option("--sessions", "by session; the default for questions about values").conflicts("entries"))
    .option("--entries", "one by one; the default for all other questions")
    .option("--cursor <cursor>", "the page after the one that named it")
    .option("--reindex", "build the index anew from recordings and events")
    .addHelpText("after", HELP)
    .action((query: string[], options: Options, command: Command) => search(open(command), query, options));
}

const HELP = `
Terms:
${Object.entries({ ...SEARCH_TERMS, "claim.NAME": "claim of the agent", "since, until": "times, as of the options" })
  .map(([name, about]) => `  ${`${name}:`.padEnd(15)} ${about}`)
  .join("\n")}
Several values: agent:ci,bot. Beginnings: table:public.*. Not: -decision:allow. "In quotes" words stand together.

Examples:
  sudo sallyport search 'agent:ci detector:payment-card'     did it ever read a card number?
  sudo sallyport search 'drop table' --since 7d              who ran this?`;

async function search(shell: Shell, words: readonly string[], options: Options): Promise<void> {
  if (options.reindex === true) {
    await shell.api.post("/v1/search/reindex", {});
    return shell.say(shell.json ? "{}" : "the index is built anew; searches say how far it is");
  }
  const { since, until, limit, cursor } = options;
  const times = [
    ...(since === undefined ? [] : [`since:${since}`]),
    ...(until === undefined ? [] : [`until:${until}`]),
  ];
  const by = options.sessions === true ? "sessions" : options.entries === true ? "entries" : undefined;
  const query = new URLSearchParams({
    q: [...words, ...times].join(" "),
    limit: String(limit),
    ...(by === undefined ? {} : { by }),
    ...(cursor === undefined ? {} : { cursor }),
  });
  const answer = await shell.api.get<SearchAnswer>(`/v1/search?${query}`);
  if (shell.json) return shell.say(JSON.stringify(answer));
  for (const line of answerLines(answer, shell.colours)) shell.say(line);
}

function readLimit(text: string): number {
  const limit = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > API_LIST_MAX) throw new InvalidArgumentError(`It must be between 1 and ${API_LIST_MAX}.`);
  return limit;
}
