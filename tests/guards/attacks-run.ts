/**
 * Runs attacks under the policy that is in force: as the agent all in one database, which must stay as it was, and
 * without a guard each in a fresh one, where it must do its harm. Where the agent's database did change, each attack
 * is tried again in one of its own, to tell which it was.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { client } from "../kit/wire.ts";
import type { Attack, Harm, PolicyName } from "./attack.ts";
import type { GuardedWorld, Side, Victim } from "./guarded-world.ts";
import { inLanes } from "./lanes.ts";
import type { SpeakerReport, SpeakerRow } from "./speaker.ts";
import { arrived, type Form, filled, formsOf, refusalsOf, rowOf } from "./speech.ts";
import { ROWS, STATE } from "./template.ts";

export interface AttackResult {
  readonly attack: Attack;
  /** weak: without a guard it does no harm, so that nothing is proven. */
  readonly verdict: "closed" | "passed" | "weak";
  /** What refused it, by rule or mechanism. */
  readonly refusedBy: readonly string[];
  /** Why it is not closed. */
  readonly why: string;
}

export interface RunOptions {
  readonly policy: PolicyName;
  /** Makes names of databases and sinks; another one for each run. */
  readonly prefix: string;
  /** In which the agent sends what can be sent in several. */
  readonly forms?: readonly Form[];
  /** Each attack in one form only, in turns. */
  readonly inTurns?: boolean;
  /** Each in a database of its own from the start: some will pass. */
  readonly eachAlone?: boolean;
}

const FORMS: readonly Form[] = ["simple", "extended"];

/** Where one attack is tried. */
interface Place {
  readonly attack: Attack;
  readonly database: string;
  readonly words: Readonly<Record<string, string>>;
}

interface Try {
  readonly report: SpeakerReport;
  readonly form: Form;
}

/** What came of one attack in all its forms. */
interface Came {
  readonly tries: readonly Try[];
  readonly isHarmed: boolean;
}

export async function runAttacks(
  guarded: GuardedWorld,
  attacks: readonly Attack[],
  { policy, prefix, forms = FORMS, inTurns = false, eachAlone = false }: RunOptions,
): Promise<readonly AttackResult[]> {
  if (attacks.length === 0) return [];
  const state = STATE_OF[policy];
  // Where the policy lets agents define, what one attack defines must not help or hinder another.
  const isAlone = (attack: Attack) =>
    eachAlone || ((state === ROWS || policy === "no-server") && /\b(CREATE|ALTER)\b/i.test(textOf(attack)));
  const alone = attacks.filter(isAlone);
  const together = attacks.filter((attack) => !isAlone(attack));
  const guard = { side: "agent", forms, inTurns, state } as const;
  const came = new Map([
    ...pairs(together, await asAgent(guarded, together, `${prefix}_t`, guard)),
    ...pairs(alone, await apart(guarded, alone, `${prefix}_a`, guard)),
  ]);
  const controls = await unguarded(guarded, attacks, `${prefix}_c`, state);
  return attacks.map((attack) => judged(attack, came.get(attack), controls.get(attack)));
}

/** By what a harm is told where an attack does not say: all of the database, or its rows where DDL is allowed. */
const STATE_OF: Readonly<Record<PolicyName, string>> = {
  "no-ddl": STATE,
  "no-whole-table": ROWS,
  "only-select": STATE,
  "no-server": STATE,
};

/**
 * As the owner, past the guard: in a transaction that is rolled back where that shows the harm, so that each finds
 * the database fresh; the others in one of their own.
 */
async function unguarded(
  guarded: GuardedWorld,
  attacks: readonly Attack[],
  prefix: string,
  state: string,
): Promise<ReadonlyMap<Attack, Came>> {
  const inside = attacks.filter(({ means, harm, encoding }) => {
    const canRollBack = means.kind !== "spoken" && !/\b(BEGIN|COMMIT|VACUUM|LISTEN)\b/.test(means.sql);
    return canRollBack && encoding === undefined && (harm === undefined || "arrives" in harm);
  });
  const came = new Map<Attack, Came>();
  if (inside.length > 0) {
    const database = `guard_${prefix}_rolled_back`;
    await guarded.makeDatabase(database);
    const places = inside.map((attack, at) => placeOf(guarded, attack, database, `${prefix}_${at}_rolled_back`));
    const rows = await inLanes(places, (place) => rolledBack(guarded, place, state));
    const reports = await guarded.speak("direct", rows, 1);
    const fresh = stateIn(JSON.stringify(await guarded.askFresh(state)));
    for (const [at, place] of places.entries()) {
      const report = reports[at];
      if (report === undefined) continue;
      const { attack, words } = place;
      const tries = [{ form: "apart", report }] as const;
      const isOther = (stateIn(Buffer.from(report.bytes, "base64").toString("latin1")) ?? fresh) !== fresh;
      const isHarm = await isHarmed(attack.harm, tries, isOther, words["sink"] ?? "", undefined);
      if (isHarm) came.set(attack, { tries, isHarmed: true });
    }
    await guarded.dropDatabase(database);
  }
  const others = attacks.filter((attack) => !came.has(attack));
  const apartCame = await apart(guarded, others, prefix, { side: "direct", forms: ["apart"], inTurns: false, state });
  return new Map([...came, ...pairs(others, apartCame)]);
}

/** BEGIN, the attack, the state that it made, ROLLBACK. */
async function rolledBack(
  guarded: GuardedWorld,
  { attack, database, words }: Place,
  state: string,
): Promise<SpeakerRow> {
  const { functionOid } = guarded;
  const form = attack.means.kind === "text" ? "apart" : "extended";
  const user = guarded.userOf("direct");
  const row = await rowOf({ name: attack.name, user, database, means: attack.means, form, words, functionOid });
  const query = (sql: string) => client.query(sql).toString("base64");
  const look = attack.harm === undefined ? [query("SET CONSTRAINTS ALL IMMEDIATE"), query(state)] : [];
  return { ...row, exchanges: [query("BEGIN"), ...row.exchanges, ...look, query("ROLLBACK")] };
}

function stateIn(text: string): string | undefined {
  return text.match(/[0-9a-f]{32}/g)?.at(-1);
}

function pairs(attacks: readonly Attack[], came: readonly Came[]): readonly (readonly [Attack, Came])[] {
  return attacks.flatMap((attack, at) => {
    const own = came[at];
    return own === undefined ? [] : [[attack, own] as const];
  });
}

function textOf({ means }: Attack): string {
  return means.kind === "spoken" ? means.say.filter((said) => typeof said === "string").join(";") : means.sql;
}

/** All in one database; apart where that changed. */
async function asAgent(
  guarded: GuardedWorld,
  attacks: readonly Attack[],
  prefix: string,
  options: Round,
): Promise<readonly Came[]> {
  const { state } = options;
  const encodings = [...new Set(attacks.map(({ encoding }) => encoding))];
  const databaseOf = (encoding: Attack["encoding"]) => `guard_${prefix}_${encoding ?? "all"}`.toLowerCase();
  const shared = await guarded.sharedState();
  for (const encoding of encodings) await guarded.makeDatabase(databaseOf(encoding), encoding);
  const places = attacks.map((attack, at) => placeOf(guarded, attack, databaseOf(attack.encoding), `${prefix}_${at}`));
  const came = await round(guarded, places, { ...options, state: undefined });
  let isUnchanged = true;
  for (const encoding of encodings) {
    if (await isChanged(guarded, databaseOf(encoding), encoding, state)) isUnchanged = false;
    await guarded.dropDatabase(databaseOf(encoding));
  }
  const isQuiet = came.every(({ isHarmed }) => !isHarmed);
  if (isQuiet && (await guarded.sharedState()) !== shared) {
    throw new Error("Some attack changed what all databases share, and no attack's own look tells which");
  }
  if (isUnchanged && isQuiet) return came;
  return apart(guarded, attacks, `${prefix}_x`, options);
}

async function isChanged(
  guarded: GuardedWorld,
  database: string,
  encoding: Attack["encoding"],
  state: string | undefined,
): Promise<boolean> {
  return state !== undefined && (await guarded.ask(state, database)) !== (await guarded.askFresh(state, encoding));
}

/** Each in a database of its own. */
async function apart(
  guarded: GuardedWorld,
  attacks: readonly Attack[],
  prefix: string,
  options: Round,
): Promise<readonly Came[]> {
  const came: Came[] = [];
  for (let from = 0; from < attacks.length; from += DATABASES_MAX) {
    const some = attacks.slice(from, from + DATABASES_MAX);
    const places = some.map((attack, at) =>
      placeOf(guarded, attack, `guard_${prefix}_${from + at}`, `${prefix}_${from + at}`),
    );
    await inLanes(places, ({ attack, database }) => guarded.makeDatabase(database, attack.encoding));
    came.push(...(await round(guarded, places, options)));
    await inLanes(places, ({ database }) => guarded.dropDatabase(database));
  }
  return came;
}

/** Databases of one round: some 8 MB each. */
const DATABASES_MAX = 60;

function placeOf(guarded: GuardedWorld, attack: Attack, database: string, id: string): Place {
  return { attack, database, words: { id, database, victim: `victim_${id}`, sink: guarded.makeSink(id) } };
}

interface Round {
  readonly side: Side;
  readonly forms: readonly Form[];
  readonly inTurns: boolean;
  /** Asked of each place's database, where it tells of one attack alone. */
  readonly state: string | undefined;
}

/** Sends each attack in each form and looks for its harm: in what came back, and by the place. */
async function round(
  guarded: GuardedWorld,
  places: readonly Place[],
  { side, forms, inTurns, state }: Round,
): Promise<readonly Came[]> {
  const victims = await inLanes(places, async ({ attack: { harm }, words }) =>
    harm !== undefined && "victim" in harm ? guarded.victim(words["victim"] ?? "") : undefined,
  );
  const before = await inLanes(places, (place) => outsideOf(guarded, place));
  const tries = places.flatMap((place, at) => {
    const own = formsFor(place.attack, forms);
    return (inTurns ? own.slice(at % own.length).slice(0, 1) : own).map((form) => ({ place, form }));
  });
  const user = guarded.userOf(side);
  const { functionOid } = guarded;
  const rows = await Promise.all(
    tries.map(({ place: { attack, database, words }, form }) =>
      rowOf({ name: attack.name, user, database, means: attack.means, form, words, functionOid }),
    ),
  );
  const reports = await guarded.speak(side, rows);
  const after = await inLanes(places, (place) => outsideOf(guarded, place));
  return inLanes([...places.entries()], async ([at, place]) => {
    const own = tries.flatMap(({ place: one, form }, which) => {
      const report = reports[which];
      return one === place && report !== undefined ? [{ form, report }] : [];
    });
    const { harm, encoding } = place.attack;
    const isOther =
      harm === undefined ? await isChanged(guarded, place.database, encoding, state) : before[at] !== after[at];
    return { tries: own, isHarmed: await isHarmed(harm, own, isOther, place.words["sink"] ?? "", victims[at]) };
  });
}

function formsFor({ means }: Attack, forms: readonly Form[]): readonly Form[] {
  if (forms.includes("apart")) return means.kind === "text" ? ["apart"] : formsOf(means);
  const own = formsOf(means).filter((form) => forms.includes(form));
  return own.length === 0 ? formsOf(means) : own;
}

async function outsideOf(guarded: GuardedWorld, { attack: { harm }, database, words }: Place): Promise<string> {
  return harm !== undefined && "outside" in harm ? guarded.ask(filled(harm.outside, words), database) : "";
}

async function isHarmed(
  harm: Harm | undefined,
  tries: readonly Try[],
  isOther: boolean,
  sink: string,
  victim: Victim | undefined,
): Promise<boolean> {
  if (harm === undefined || "outside" in harm) return isOther;
  if ("arrives" in harm) return tries.some(({ report }) => arrived(report, harm.arrives));
  if ("file" in harm) return existsSync(join(sink, harm.file));
  return victim !== undefined && !(await victim.end());
}

function judged(attack: Attack, own: Came | undefined, control: Came | undefined): AttackResult {
  if (own === undefined || control === undefined) throw new Error(`Lost on the way: ${attack.name}`);
  const refusedBy = [...new Set(own.tries.flatMap(({ report }) => refusalsOf(report)))];
  const unrefused = own.tries.filter(({ report }) => refusalsOf(report).length === 0);
  const said = (tries: readonly Try[]) =>
    tries.flatMap(({ report }) => report.errors.map(({ C, M }) => `${C} ${M}`)).join("; ") || "no error";
  if (own.isHarmed) {
    const by = unrefused.map(({ form }) => form).join(" and ") || "though refused";
    return { attack, verdict: "passed", refusedBy, why: `it did its harm (${by})` };
  }
  if (!control.isHarmed) {
    return { attack, verdict: "weak", refusedBy, why: `it does no harm without a guard: ${said(control.tries)}` };
  }
  const [first] = unrefused;
  if (first === undefined) return { attack, verdict: "closed", refusedBy, why: "" };
  return { attack, verdict: "passed", refusedBy, why: `nothing refused it (${first.form}): ${said([first])}` };
}
