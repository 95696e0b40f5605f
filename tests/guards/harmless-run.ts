/**
 * Runs harmless statements directly and as the agent, each time in a fresh database of one name, under the policy that
 * is in force: none may be refused, and what comes back must be equal, byte by byte.
 */
import { messagesIn } from "../kit/wire.ts";
import type { Harmless } from "./attack.ts";
import type { GuardedWorld, Side } from "./guarded-world.ts";
import type { SpeakerReport } from "./speaker.ts";
import { type Form, formsOf, refusalsOf, rowOf } from "./speech.ts";

export interface HarmlessResult {
  readonly statement: Harmless;
  /** broken: it fails without a guard, so that nothing is proven. */
  readonly verdict: "equal" | "refused" | "different" | "broken";
  readonly why: string;
}

const DATABASE = "harmless_database";
const FORMS: readonly Form[] = ["simple", "extended"];

/** What one side answered to one statement. */
interface Answered {
  readonly reports: readonly SpeakerReport[];
  /** psql's two streams, one behind the other. */
  readonly said: string;
}

export async function runHarmless(
  guarded: GuardedWorld,
  statements: readonly Harmless[],
  forms: readonly Form[] = FORMS,
): Promise<readonly HarmlessResult[]> {
  const direct = await answers(guarded, statements, forms, "direct");
  const agent = await answers(guarded, statements, forms, "agent");
  return statements.map((statement) => judged(statement, direct.get(statement), agent.get(statement)));
}

async function answers(
  guarded: GuardedWorld,
  statements: readonly Harmless[],
  forms: readonly Form[],
  side: Side,
): Promise<ReadonlyMap<Harmless, Answered>> {
  await guarded.makeDatabase(DATABASE);
  const tries = statements.flatMap((statement) => {
    const { means } = statement;
    if (means.kind === "psql") return [];
    const possible = formsOf(means);
    const own = possible.length === 1 ? possible : possible.filter((form) => forms.includes(form));
    return own.map((form) => ({ statement, means, form }));
  });
  const user = guarded.userOf(side);
  const { functionOid } = guarded;
  const rows = await Promise.all(
    tries.map(({ statement: { name }, means, form }) =>
      rowOf({ name, user, database: DATABASE, means, form, words: {}, functionOid }),
    ),
  );
  // One after the other: some see what others write.
  const reports = await guarded.speak(side, rows, 1);
  const said = await psqlAnswers(guarded, statements, side);
  await guarded.dropDatabase(DATABASE);
  return new Map(
    statements.map((statement) => {
      const own = tries.flatMap((one, at) => {
        const report = reports[at];
        return one.statement === statement && report !== undefined ? [report] : [];
      });
      return [statement, { reports: own, said: said.get(statement) ?? "" }];
    }),
  );
}

/** All commands in one psql, with a line between them on both streams. */
async function psqlAnswers(
  guarded: GuardedWorld,
  statements: readonly Harmless[],
  side: Side,
): Promise<ReadonlyMap<Harmless, string>> {
  const commands = statements.flatMap((statement) =>
    statement.means.kind === "psql" ? [{ statement, command: statement.means.command }] : [],
  );
  if (commands.length === 0) return new Map();
  const script = commands.map(({ command }, at) => `\\echo ${mark(at)}\n\\warn ${mark(at)}\n${command}\n`).join("");
  const { stdout, stderr } = await guarded.psql(side, DATABASE, script);
  return new Map(commands.map(({ statement }, at) => [statement, `${between(stdout, at)}${between(stderr, at)}`]));
}

function mark(at: number): string {
  return `==== ${at} ====`;
}

function between(text: string, at: number): string {
  const from = text.indexOf(mark(at));
  if (from < 0) throw new Error(`psql did not come to command ${at}: ${text.slice(-500)}`);
  const to = text.indexOf(mark(at + 1));
  return text.slice(from + mark(at).length, to < 0 ? undefined : to);
}

function comparable({ bytes }: SpeakerReport, what: Harmless["volatile"]): string {
  if (what === "rows") return "";
  if (what === undefined) return bytes;
  const messages = messagesIn(Buffer.from(bytes, "base64"));
  return JSON.stringify(
    messages.filter(({ type }) => type !== "T").map(({ type, body }) => [type, body.toString("hex")]),
  );
}

function judged(statement: Harmless, direct: Answered | undefined, agent: Answered | undefined): HarmlessResult {
  if (direct === undefined || agent === undefined) throw new Error(`Lost on the way: ${statement.name}`);
  const result = (verdict: HarmlessResult["verdict"], why = "") => ({ statement, verdict, why });
  const failed = direct.reports.flatMap(({ errors }) => errors.map(({ M }) => M));
  if (statement.means.kind !== "spoken" && failed.length > 0) return result("broken", failed.join("; "));
  if (/^ERROR|: error:/m.test(direct.said)) return result("broken", direct.said.trim());
  const refused = agent.reports.flatMap((report) => refusalsOf(report));
  const told = agent.reports.flatMap(({ errors }) => errors.map(({ M, D }) => `${M} (${D})`));
  if (refused.length > 0) return result("refused", told.join("; "));
  if (/42501|refused by Sallyport|\bERROR\b/.test(agent.said) && agent.said !== direct.said) {
    return result("refused", agent.said.trim());
  }
  const isEqual =
    agent.said === direct.said &&
    direct.reports.every((report, at) => {
      const other = agent.reports[at];
      if (other === undefined || other.types !== report.types) return false;
      return comparable(report, statement.volatile) === comparable(other, statement.volatile);
    });
  if (isEqual) return result("equal");
  const [here, there] = [direct, agent].map(({ reports, said }) => reports.map(({ types }) => types).join(" ") + said);
  return result("different", told.join("; ") || `directly ${here}, as agent ${there}`);
}
