/**
 * approvals watch: a screen that is drawn anew on every change and answers by single keys. Plain escape sequences, so
 * that it works over SSH; lines instead where no terminal is. What is answered is what was shown: by its digest.
 */
import { messageOf } from "../../base/errors.ts";
import type { ApprovalChange, ApprovalListing } from "../approvals.ts";
import { approvalText, statementLine, stateWord, waitingWords } from "./approval-text.ts";
import { step } from "./client.ts";
import { moment, printable } from "./show.ts";
import type { Colours, Shell } from "./world.ts";

const PATH = "/v1/approvals/watch";
/** Those that ended stay in view for so long. */
const ENDED_SHOWN_MS = 10_000;
const TICK_MS = 1_000;
/** The terminal is given back as it was. */
const LEAVING = ["SIGTERM", "SIGHUP"] as const;

export async function watchApprovals(shell: Shell): Promise<void> {
  const { stdout, stdin } = shell.world;
  const isScreen = stdout.isTTY === true && stdin.isTTY === true && stdin.setRawMode !== undefined && !shell.json;
  if (isScreen) return showScreen(shell);
  for await (const { approval } of shell.api.events<ApprovalChange>(PATH)) {
    shell.say(shell.json ? JSON.stringify(approval) : lineOf(approval));
  }
}

function lineOf(approval: ApprovalListing): string {
  const { id, agent, connection, state, openedMs, endedMs } = approval;
  const at = moment(endedMs ?? openedMs);
  return `${at}  ${printable(id)}  ${state}  ${printable(agent)} on ${printable(connection)}  ${statementLine(approval, 80)}`;
}

/** What the screen shows; changed by keys and by the daemon. */
export interface View {
  readonly approvals: readonly ApprovalListing[];
  /** Id of the chosen one. */
  readonly chosen: string;
  readonly isDetailed: boolean;
  /** Of the details, as often as somebody turned it; behind the last one comes the first again. */
  readonly page: number;
  /** What came of the last answer. */
  readonly said: string;
}

export type Act = "approve" | "deny" | "quit";

async function showScreen(shell: Shell): Promise<void> {
  const { stdout, stdin } = shell.world;
  let view: View = { approvals: [], chosen: "", isDetailed: false, page: 0, said: "" };
  const draw = () => {
    view = withoutOld(view, Date.now());
    // A terminal that nobody sized says 0.
    const size = { columns: stdout.columns || 80, rows: stdout.rows || 24 };
    const lines = screenOf(view, size, shell.colours, Date.now());
    stdout.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\r\n")}\u001b[J`);
  };
  const quitting = Promise.withResolvers<void>();
  const leaving = new AbortController();
  const act = async (what: Act) => {
    if (what === "quit") return quitting.resolve();
    const chosen = view.approvals.find(({ id }) => id === view.chosen);
    if (chosen === undefined) return;
    const said = await answerShown(shell, chosen, what);
    view = { ...view, said };
    draw();
  };
  const key = (bytes: Buffer | string) => {
    for (const pressed of keysIn(String(bytes))) {
      const pressing = press(view, pressed);
      view = pressing.view;
      if (pressing.act !== undefined) void act(pressing.act);
    }
    draw();
  };
  const timer = setInterval(draw, TICK_MS);
  stdin.setRawMode?.(true);
  stdin.on("data", key).resume();
  // A screen of its own, without a cursor; wide characters end at its edge instead of pushing lines down.
  stdout.write("\u001b[?1049h\u001b[?25l\u001b[?7l");
  const leave = () => quitting.resolve();
  for (const signal of LEAVING) process.once(signal, leave);
  try {
    draw();
    const heard = hear(shell, leaving.signal, (approval) => {
      view = withChange(view, approval);
      draw();
    });
    await Promise.race([quitting.promise, heard]);
  } finally {
    clearInterval(timer);
    leaving.abort();
    for (const signal of LEAVING) process.off(signal, leave);
    stdout.write("\u001b[?7h\u001b[?25h\u001b[?1049l");
    stdin.off("data", key).pause();
    stdin.setRawMode?.(false);
  }
}

async function hear({ api }: Shell, signal: AbortSignal, onChange: (approval: ApprovalListing) => void): Promise<void> {
  for await (const { approval } of api.events<ApprovalChange>(PATH, { signal })) onChange(approval);
}

async function answerShown(shell: Shell, { id, digest }: ApprovalListing, how: "approve" | "deny"): Promise<string> {
  try {
    const { missing } = await shell.api.post<ApprovalListing>(`/v1/approvals/${step(id)}/${how}`, { digest });
    if (missing !== undefined) return `${id}: approved by you; it still needs ${missing}`;
    return `${id}: ${how === "approve" ? "approved" : "denied"}`;
  } catch (error) {
    return messageOf(error);
  }
}

/** Oldest first, as the listing has them. */
export function withChange(view: View, approval: ApprovalListing): View {
  const others = view.approvals.filter(({ id }) => id !== approval.id);
  const approvals = [...others, approval].toSorted((a, b) => a.openedMs - b.openedMs);
  return { ...view, approvals, chosen: view.approvals.length === 0 ? approval.id : view.chosen };
}

export function withoutOld(view: View, nowMs: number): View {
  const approvals = view.approvals.filter(({ endedMs }) => endedMs === undefined || nowMs - endedMs < ENDED_SHOWN_MS);
  const isThere = approvals.some(({ id }) => id === view.chosen);
  if (isThere) return { ...view, approvals };
  // None is chosen until a key does: "a" may have been meant for the one that is gone.
  return { ...view, approvals, chosen: "", isDetailed: false };
}

const ESCAPE = String.fromCharCode(27);
/** A sequence of ECMA-48, a key of the keypad ("ESC O a" is Ctrl+Up of some terminals), one with Alt, or a character. */
const KEY = new RegExp(`${ESCAPE}(?:\\[[0-?]*[ -/]*[@-~]|O[ -~]|[^[O${ESCAPE}])?|.`, "gsu");

/** Key by key: "a" in a sequence approves nothing. */
export function keysIn(text: string): readonly string[] {
  return text.match(KEY) ?? [];
}

export function press(view: View, key: string): { readonly view: View; readonly act?: Act } {
  switch (key) {
    case "j":
    case "\u001b[B":
    case "\u001bOB":
      return { view: moved(view, 1) };
    case "k":
    case "\u001b[A":
    case "\u001bOA":
      return { view: moved(view, -1) };
    case "\r":
    case "\n":
      return { view: { ...view, isDetailed: view.chosen !== "" && !view.isDetailed, page: 0, said: "" } };
    case " ":
    case "\u001b[6~":
      return { view: { ...view, page: view.isDetailed ? view.page + 1 : 0 } };
    case "\u001b":
      return { view: { ...view, isDetailed: false } };
    case "a":
      return { view, act: "approve" };
    case "d":
      return { view, act: "deny" };
    case "q":
    case "\u0003":
      return { view, act: "quit" };
    default:
      return { view };
  }
}

function moved(view: View, by: number): View {
  const at = view.approvals.findIndex(({ id }) => id === view.chosen);
  const next = Math.min(view.approvals.length - 1, Math.max(0, at + by));
  return { ...view, chosen: view.approvals[next]?.id ?? "", page: 0, said: "" };
}

/** Lines of the whole screen, none wider than it. */
export function screenOf(
  view: View,
  { columns, rows }: { readonly columns: number; readonly rows: number },
  colours: Colours,
  nowMs: number,
): readonly string[] {
  const chosen = view.approvals.find(({ id }) => id === view.chosen);
  const waiting = view.approvals.filter(({ state }) => state === "waiting").length;
  const head = colours.bold(cut(`Sallyport approvals: ${waitingWords(waiting)}`, columns));
  const keys = colours.dim(cut("up/down choose · enter details · space more · a approve · d deny · q quit", columns));
  const foot = [cut(printable(view.said), columns), keys];
  const room = Math.max(1, rows - 2 - foot.length);
  const body =
    view.isDetailed && chosen !== undefined
      ? approvalText(chosen, PLAIN, nowMs).flatMap((line) => folded(line, columns))
      : listLines(view, columns, room, colours, nowMs);
  const shown = body.length > room ? pageOf(body, room, view.page).map((line) => cut(line, columns)) : body;
  return [head, "", ...shown, ...Array.from({ length: room - shown.length }, () => ""), ...foot];
}

/** Colours would be cut through. */
const PLAIN = new Proxy({} as Colours, { get: () => String });

/** What is approved must be there to be read: a long line goes on in the next one. */
function folded(line: string, columns: number): readonly string[] {
  const parts: string[] = [];
  let [part, room] = ["", columns];
  for (const character of line) {
    const width = (character.codePointAt(0) ?? 0) < WIDE_FROM ? 1 : 2;
    if (width > room && part !== "") {
      parts.push(part);
      [part, room] = ["", columns];
    }
    part += character;
    room -= width;
  }
  return [...parts, part];
}

/** From here on a character may take two places; what is taken for wide and is not merely makes a line shorter. */
const WIDE_FROM = 0x1100;

function pageOf(lines: readonly string[], room: number, turned: number): readonly string[] {
  const size = Math.max(1, room - 1);
  const pages = Math.ceil(lines.length / size);
  const page = turned % pages;
  const shown = lines.slice(page * size, (page + 1) * size);
  const blank = Array.from({ length: size - shown.length }, () => "");
  return [...shown, ...blank, `… page ${page + 1} of ${pages}: space`];
}

function listLines(view: View, columns: number, room: number, colours: Colours, nowMs: number): readonly string[] {
  const at = Math.max(
    0,
    view.approvals.findIndex(({ id }) => id === view.chosen),
  );
  const from = Math.max(0, Math.min(at - Math.floor(room / 2), view.approvals.length - room));
  return view.approvals.slice(from, from + room).map((approval) => {
    const isChosen = approval.id === view.chosen;
    const { id, agent, connection, estimate = "" } = approval;
    const about = `${isChosen ? ">" : " "} ${id}  ${stateWord(approval, nowMs)}  ${agent} on ${connection}  ${estimate}  `;
    const line = cut(printable(about) + statementLine(approval, Math.max(20, columns - about.length)), columns);
    return isChosen ? colours.inverse(line.padEnd(columns)) : line;
  });
}

function cut(text: string, columns: number): string {
  return text.length > columns ? `${text.slice(0, Math.max(0, columns - 1))}…` : text;
}
