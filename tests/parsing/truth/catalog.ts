/**
 * What the server says of a database before a statement runs: its relations, and what stands behind each of them
 * (views, rules, partitions, foreign keys, triggers, policies, defaults). Read from the catalog, not from any analysis.
 */
import type { Session } from "./session.ts";

export interface Relation {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** pg_class.relkind. */
  readonly kind: string;
  /** The table of an index or a TOAST table; itself otherwise. */
  readonly owner: string;
  /** Rows of a table of users; 0 for others. */
  readonly rows: number;
  readonly isSystem: boolean;
}

/** How one relation stands behind another. */
export type Link =
  /** In the text of a view or a rule. */
  | "view"
  /** A partition or a child table. */
  | "child"
  | "parent"
  /** By a foreign key, in either direction. */
  | "key"
  /** In a function that a trigger, a view, a default, a policy or an index calls, or a sequence of a default. */
  | "code";

export interface Catalog {
  readonly relations: ReadonlyMap<string, Relation>;
  readonly byName: ReadonlyMap<string, readonly Relation[]>;
  /** OIDs of the relations that are reached over links of these kinds without being named. */
  readonly behind: (oid: string, links: readonly Link[]) => ReadonlySet<string>;
  /**
   * Operators of users, functions of theirs that bear a name of pg_catalog's, and those that look like a column of a
   * row, with the relations behind them: no text tells them from what is harmless.
   */
  readonly unseen: readonly { readonly name: string; readonly reaches: ReadonlySet<string> }[];
  /** "catalog oid" to owner and access list, of everything that is owned. */
  readonly access: ReadonlyMap<string, string>;
  /** Texts of the system's own views: the same until the server is another. */
  readonly systemViews: Rows;
}

type Rows = readonly (readonly string[])[];

const RELATIONS = `
SELECT c.oid::text, n.nspname, c.relname, c.relkind, coalesce(t.oid, i.indrelid, c.oid)::text, (c.oid < 16384)::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_catalog.pg_class t ON t.reltoastrelid = coalesce(i.indrelid, c.oid) AND t.reltoastrelid <> 0`;

const SYSTEM_VIEWS = `
SELECT oid::text, 'view', 'text', pg_get_viewdef(oid) FROM pg_class WHERE relkind = 'v' AND oid < 16384`;

/** What stands behind relations: texts in which others are named, functions by OID, and relations by OID. */
const LINKS = `
SELECT c.oid::text, 'view', 'text', pg_get_viewdef(c.oid) FROM pg_class c WHERE c.relkind IN ('v', 'm') AND c.oid >= 16384
UNION ALL SELECT ev_class::text, 'view', 'text', pg_get_ruledef(oid) FROM pg_rewrite WHERE rulename <> '_RETURN'
UNION ALL SELECT tgrelid::text, 'code', 'function', tgfoid::text FROM pg_trigger
UNION ALL SELECT adrelid::text, 'code', 'text', pg_get_expr(adbin, adrelid) FROM pg_attrdef
UNION ALL SELECT polrelid::text, 'code', 'text', concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy
UNION ALL SELECT conrelid::text, 'code', 'text', pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0
UNION ALL SELECT indrelid::text, 'code', 'text', pg_get_indexdef(indexrelid) FROM pg_index WHERE indexprs IS NOT NULL OR indpred IS NOT NULL
UNION ALL SELECT refobjid::text, 'code', 'relation', objid::text FROM pg_depend
  WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
UNION ALL SELECT conrelid::text, 'key', 'relation', confrelid::text FROM pg_constraint WHERE confrelid <> 0
UNION ALL SELECT confrelid::text, 'key', 'relation', conrelid::text FROM pg_constraint WHERE confrelid <> 0
UNION ALL SELECT inhrelid::text, 'parent', 'relation', inhparent::text FROM pg_inherits
UNION ALL SELECT inhparent::text, 'child', 'relation', inhrelid::text FROM pg_inherits`;

const UNSEEN = `
SELECT oprname, oprcode::oid::text FROM pg_operator WHERE oid >= 16384
UNION ALL SELECT proname, oid::text FROM pg_proc p WHERE oid >= 16384 AND (
  EXISTS (SELECT 1 FROM pg_proc s WHERE s.proname = p.proname AND s.oid < 16384)
  OR (pronargs = 1 AND (SELECT typtype FROM pg_type WHERE oid = proargtypes[0]) = 'c'))`;

const FUNCTIONS = `
SELECT oid::text, proname, coalesce(pg_get_function_sqlbody(oid), prosrc) FROM pg_proc
WHERE prolang IN (SELECT oid FROM pg_language WHERE lanname NOT IN ('c', 'internal'))`;

/** Catalogs of what is owned, with the columns of owner and access list. */
const OWNED = [
  ["pg_class", "relowner", "relacl"],
  ["pg_proc", "proowner", "proacl"],
  ["pg_namespace", "nspowner", "nspacl"],
  ["pg_type", "typowner", "typacl"],
  ["pg_language", "lanowner", "lanacl"],
  ["pg_database", "datdba", "datacl"],
  ["pg_foreign_server", "srvowner", "srvacl"],
  ["pg_largeobject_metadata", "lomowner", "lomacl"],
] as const;

/** Owner and access list of every object of these catalogs, without its columns'. */
export async function readAccess(
  session: Session,
  catalogs: readonly string[] = OWNED.map(([catalog]) => catalog),
): Promise<ReadonlyMap<string, string>> {
  const parts = OWNED.filter(([catalog]) => catalogs.includes(catalog)).map(
    ([catalog, owner, list]) =>
      `SELECT '${catalog} ' || oid::text, ${owner}::text || ' ' || coalesce(${list}::text, '') FROM pg_catalog.${catalog}`,
  );
  if (parts.length === 0) return new Map();
  return new Map((await session.rows(parts.join(" UNION ALL "))).map(([key = "", value = ""]) => [key, value]));
}

/** Whether something that was there before, and has the same owner, may be used by others than before. */
export function changesAccess(before: Catalog["access"], after: Catalog["access"]): boolean {
  for (const [key, value] of after) {
    const old = before.get(key);
    if (old !== undefined && old !== value && old.split(" ")[0] === value.split(" ")[0]) return true;
  }
  return false;
}

export async function readRelations(session: Session): Promise<ReadonlyMap<string, Relation>> {
  const relations = new Map<string, Relation>();
  for (const [oid = "", schema = "", name = "", kind = "", owner = "", system] of await session.rows(RELATIONS)) {
    relations.set(oid, { oid, schema, name, kind, owner, rows: 0, isSystem: system === "true" });
  }
  return relations;
}

export async function readCatalog(session: Session, before?: Catalog): Promise<Catalog> {
  const relations = new Map(await readRelations(session));
  for (const relation of relations.values()) {
    if (relation.isSystem || !"rp".includes(relation.kind)) continue;
    const name = [relation.schema, relation.name].map((part) => `"${part.replaceAll('"', '""')}"`).join(".");
    const rows = Number((await session.rows(`SELECT count(*) FROM ${name}`))[0]?.[0]);
    relations.set(relation.oid, { ...relation, rows });
  }
  const names = new Names(relations.values(), await session.rows(FUNCTIONS));
  const byName = new Map<string, Relation[]>();
  for (const relation of relations.values()) {
    byName.set(relation.name, [...(byName.get(relation.name) ?? []), relation]);
  }
  const systemViews = before?.systemViews ?? (await session.rows(SYSTEM_VIEWS));
  const behind = behindOf([...systemViews, ...(await session.rows(LINKS))], names);
  const unseen = (await session.rows(UNSEEN)).map(([name = "", oid = ""]) => {
    return { name, reaches: new Set(names.edgesOfFunction(oid).map(({ to }) => to)) };
  });
  return { relations, byName, behind, unseen, access: await readAccess(session), systemViews };
}

interface Edge {
  readonly to: string;
  readonly link: Link;
}

/** Names in a text are taken for every relation and function of that name: too much rather than too little. */
class Names {
  readonly #relations = new Map<string, string[]>();
  readonly #functions = new Map<string, string[]>();
  readonly #sources = new Map<string, string>();

  constructor(relations: Iterable<Relation>, functions: Rows) {
    for (const { oid, name } of relations) this.#relations.set(name, [...(this.#relations.get(name) ?? []), oid]);
    for (const [oid = "", name = "", source = ""] of functions) {
      this.#sources.set(oid, source);
      this.#functions.set(name, [...(this.#functions.get(name) ?? []), oid]);
    }
  }

  edgesOfText(text: string, link: Link, seen: Set<string> = new Set()): readonly Edge[] {
    return [...new Set(text.match(/\w+/g))].flatMap((word) => [
      ...(this.#relations.get(word) ?? []).map((to) => ({ to, link })),
      ...(this.#functions.get(word) ?? []).flatMap((oid) => this.edgesOfFunction(oid, seen)),
    ]);
  }

  edgesOfFunction(oid: string, seen: Set<string> = new Set()): readonly Edge[] {
    if (seen.has(oid)) return [];
    seen.add(oid);
    return this.edgesOfText(this.#sources.get(oid) ?? "", "code", seen);
  }
}

function behindOf(links: Rows, names: Names): Catalog["behind"] {
  const edges = new Map<string, Edge[]>();
  for (const [oid = "", link = "", form, what = ""] of links) {
    const own = edges.get(oid) ?? [];
    edges.set(oid, own);
    if (form === "relation") own.push({ to: what, link: link as Link });
    else if (form === "function") own.push(...names.edgesOfFunction(what));
    else own.push(...names.edgesOfText(what, link as Link));
  }
  const closures = new Map<string, ReadonlySet<string>>();
  return (oid, over) => {
    const key = `${oid} ${over.join()}`;
    const known = closures.get(key);
    if (known !== undefined) return known;
    const reached = new Set<string>();
    const open = [oid];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const { to, link } of edges.get(at) ?? []) {
        if (reached.has(to) || !over.includes(link)) continue;
        reached.add(to);
        open.push(to);
      }
    }
    closures.set(key, reached);
    return reached;
  };
}
