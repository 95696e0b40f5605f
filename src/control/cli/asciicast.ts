/** What passed through a session's terminal, as an asciicast v2 file. Source: asciinema, "asciicast v2". Writes no file. */
import { UserError } from "../../base/errors.ts";
import type { SessionEntry, SessionListing } from "../ports.ts";

/** Where nobody said how large it was. */
const COLUMNS = 80;
const ROWS = 24;

/** Lines with their ends. Throws UserError NO_TERMINAL when the session has none. */
export async function* asciicast(
  entries: AsyncIterable<SessionEntry>,
  session: SessionListing,
): AsyncGenerator<string, void> {
  const decoders = { output: new TextDecoder(), input: new TextDecoder() };
  let isBegun = false;
  const header = (width: number, height: number) =>
    line({ version: 2, width, height, timestamp: Math.floor(session.startedMs / 1_000), title: session.id });
  for await (const { terminal, offsetMs } of entries) {
    if (terminal === undefined || terminal.stream === "exit") continue;
    const seconds = offsetMs / 1_000;
    if (!isBegun) {
      isBegun = true;
      if (terminal.stream === "resize") {
        yield header(terminal.columns, terminal.rows);
        continue;
      }
      yield header(COLUMNS, ROWS);
    }
    if (terminal.stream === "resize") yield line([seconds, "r", `${terminal.columns}x${terminal.rows}`]);
    else {
      // A character may be cut in two between records.
      const text = decoders[terminal.stream].decode(Buffer.from(terminal.data, "base64"), { stream: true });
      if (text !== "") yield line([seconds, terminal.stream === "output" ? "o" : "i", text]);
    }
  }
  if (isBegun) return;
  throw new UserError(
    "NO_TERMINAL",
    `Cannot write a cast of ${session.id}: it had no terminal`,
    `See what was asked: sallyport sessions replay ${session.id}`,
  );
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
