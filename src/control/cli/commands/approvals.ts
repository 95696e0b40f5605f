/** approvals: what waits for a reviewer, and the answers. What agents wrote is shown printable only. */
import type { Command } from "commander";
import { UserError } from "../../../base/errors.ts";
import type { ApprovalListing } from "../../approvals.ts";
import { approvalText, statementLine, stateWord } from "../approval-text.ts";
import { watchApprovals } from "../approvals-screen.ts";
import { step } from "../client.ts";
import { duration, moment, printable, table } from "../show.ts";
import { readDuration } from "../words.ts";
import type { OpenShell, Shell } from "../world.ts";
import { addDelegationCommands } from "./delegations.ts";

export function addApprovalCommands(program: Command, open: OpenShell): void {
  const approvals = program
    .command("approvals")
    .description("what waits for a reviewer, oldest first")
    .option("--all", "also what was answered, expired or given up, newest first")
    .addHelpText("after", "\nExamples:\n  sallyport approvals\n  sallyport approvals --all --json")
    .action((options: { all?: boolean }, command: Command) => list(open(command), options.all ?? false));
  approvals
    .command("show <id>")
    .description("one of them whole: statements, tables, processes, who may answer, earlier ones of the same shape")
    .addHelpText("after", "\nExample:\n  sallyport approvals show ID")
    .action((id: string, _options: object, command: Command) => show(open(command), id));
  approvals
    .command("approve <id...>")
    .description("let it go, exactly as it is shown")
    .option("--for <time>", "let the same shape pass again for so long, where the rule allows it", readDuration)
    .option("--comment <text>", "for the record")
    .option("--digest <hex>", "only if it is still what has this digest")
    .addHelpText("after", "\nExamples:\n  sallyport approvals approve ID\n  sallyport approvals approve ID --for 15m")
    .action((ids: string[], options: ApproveOptions, command: Command) => {
      const { for: forMs, comment, digest } = options;
      return answer(open(command), "approve", ids, { forMs, comment, digest });
    });
  approvals
    .command("deny <id...>")
    .description("refuse it; of an approval that stands: end it")
    .option("--comment <text>", "told to the agent, too")
    .option("--digest <hex>", "only if it is still what has this digest")
    .addHelpText("after", '\nExample:\n  sallyport approvals deny ID --comment "not on a Friday"')
    .action((ids: string[], options: AnswerOptions, command: Command) => answer(open(command), "deny", ids, options));
  approvals
    .command("watch")
    .description("a live view: arrows or j and k choose, a approves, d denies, enter shows all of it, q quits")
    .addHelpText("after", "\nExamples:\n  sallyport approvals watch\n  sallyport --json approvals watch")
    .action((_options: object, command: Command) => watchApprovals(open(command)));
  addDelegationCommands(approvals, open);
}

interface AnswerOptions {
  readonly comment?: string | undefined;
  readonly digest?: string | undefined;
}

interface ApproveOptions extends AnswerOptions {
  readonly for?: number;
}

async function list(shell: Shell, all: boolean): Promise<void> {
  const approvals = await shell.api.get<ApprovalListing[]>(`/v1/approvals${all ? "?all=1" : ""}`);
  if (shell.json) return shell.say(JSON.stringify(approvals));
  if (approvals.length === 0) return shell.say(all ? "nothing was held" : "nothing waits for approval");
  const nowMs = Date.now();
  shell.say(
    table(
      approvals,
      [
        { title: "ID", cell: ({ id }) => id },
        { title: "SINCE", cell: ({ openedMs }) => moment(openedMs) },
        { title: "STATE", cell: (approval) => stateWord(approval, nowMs) },
        { title: "AGENT", cell: ({ agent }) => agent },
        { title: "CONNECTION", cell: ({ connection }) => connection },
        { title: "RULE", cell: ({ rules }) => rules.join(", ") },
        { title: "ROWS", cell: ({ estimate }) => estimate ?? "" },
        { title: "STATEMENT", cell: (approval) => statementLine(approval, 60) },
      ],
      shell.colours,
    ),
  );
}

async function show(shell: Shell, id: string): Promise<void> {
  const approval = await shell.api.get<ApprovalListing>(`/v1/approvals/${step(id)}`);
  if (shell.json) return shell.say(JSON.stringify(approval));
  for (const line of approvalText(approval, shell.colours, Date.now())) shell.say(line);
}

/** One that fails leaves the others; the first failure is the command's own. */
async function answer(
  shell: Shell,
  how: "approve" | "deny",
  ids: readonly string[],
  body: AnswerOptions & { readonly forMs?: number | undefined },
): Promise<void> {
  if (body.digest !== undefined && ids.length > 1) {
    const remedy = "Answer them one by one, each with its own";
    throw new UserError("USAGE", "Cannot answer several with one digest", remedy, { exitCode: 2 });
  }
  const answered: ApprovalListing[] = [];
  let failure: unknown;
  for (const id of ids) {
    try {
      const approval = await shell.api.post<ApprovalListing>(`/v1/approvals/${step(id)}/${how}`, body);
      answered.push(approval);
      if (!shell.json) shell.say(answeredLine(approval, how));
    } catch (error) {
      failure ??= error;
    }
  }
  if (shell.json) shell.say(JSON.stringify(answered));
  if (failure !== undefined) throw failure;
}

function answeredLine(approval: ApprovalListing, how: "approve" | "deny"): string {
  const { id, state, missing, standsUntilMs } = approval;
  const name = printable(id);
  if (how === "deny") return state === "denied" ? `${name} denied` : `${name} stands no longer`;
  if (missing !== undefined) return `${name} approved by you; it still needs ${printable(missing)}`;
  const stands =
    standsUntilMs === undefined ? "" : `; the same shape passes for ${duration(standsUntilMs - Date.now())}`;
  return `${name} approved${stands}`;
}
