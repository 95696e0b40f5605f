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
  /** What came of the last answer. */
  readonly said: string;
}

export type Act = "approve" | "deny" | "quit";

async function showScreen(shell: Shell): Promise<void> {
  const { stdout, stdin } = shell.world;
  let view: View = { approvals: [], chosen: "", isDetailed: false, said: "" };
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
  stdout.write("\u001b[?1049h\u001b[?25l"); // a screen of its own, without a cursor
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
    stdout.write("\u001b[?25h\u001b[?1049l");
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

/** Key by key: arrows come as three bytes. */
export function keysIn(text: string): readonly string[] {
  const keys: string[] = [];
  for (let at = 0; at < text.length; ) {
    const length = text.startsWith("\u001b[", at) ? 3 : 1;
    keys.push(text.slice(at, at + length));
    at += length;
  }
  return keys;
}

export function press(view: View, key: string): { readonly view: View; readonly act?: Act } {
  switch (key) {
    case "j":
    case "\u001b[B":
      return { view: moved(view, 1) };
    case "k":
    case "\u001b[A":
      return { view: moved(view, -1) };
    case "\r":
    case "\n":
      return { view: { ...view, isDetailed: view.chosen !== "" && !view.isDetailed, said: "" } };
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
  return { ...view, chosen: view.approvals[next]?.id ?? "", said: "" };
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
  const keys = colours.dim(cut("up/down choose · enter details · a approve · d deny · q quit", columns));
  const foot = [cut(printable(view.said), columns), keys];
  const room = Math.max(1, rows - 2 - foot.length);
  const body =
    view.isDetailed && chosen !== undefined
      ? approvalText(chosen, PLAIN, nowMs).map((line) => cut(line, columns))
      : listLines(view, columns, room, colours, nowMs);
  const shown = body.length > room ? [...body.slice(0, room - 1), "… more: sallyport approvals show ID"] : body;
  return [head, "", ...shown, ...Array.from({ length: room - shown.length }, () => ""), ...foot];
}

/** Colours would be cut through. */
const PLAIN = new Proxy({} as Colours, { get: () => String });

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
