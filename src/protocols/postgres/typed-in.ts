/**
 * What a typed-in text would ask for, without a server: for tests of policies and for explanations. The relations are
 * those that the connection's labels name, with the columns that they name; every other name means an unlabelled one.
 */
import { createHash } from "node:crypto";
import type { Connection, DataLabels } from "../../model/connection.ts";
import type { Asked } from "../../model/operation.ts";
import { analyse } from "./actions.ts";
import { type CatalogFacts, type CatalogRelation, catalogFacts } from "./catalog.ts";

/** The first OID of a user's object (FirstNormalObjectId). */
const FIRST_OID = 16_384;
const TEXT_OID = 25;

export function askedBy(text: string, { data }: Connection): readonly Asked[] {
  const scope = { data, catalog: catalogOf(data) };
  return analyse(text, scope).statements.map(({ operation, text: own }) => ({ operation, text: own }));
}

const known = new WeakMap<DataLabels, CatalogFacts>();

function catalogOf(data: DataLabels): CatalogFacts {
  const kept = known.get(data);
  if (kept !== undefined) return kept;
  const version = createHash("sha256").update(JSON.stringify(data)).digest("hex");
  const relations = Object.entries(data).map(([name, table], at): CatalogRelation => {
    const dot = name.indexOf(".");
    const columns = Object.entries(table.columns).map(([column, labels], position) => {
      return [position + 1, { name: column, labels, typeOid: TEXT_OID }] as const;
    });
    return {
      oid: FIRST_OID + at,
      schema: dot < 0 ? "public" : name.slice(0, dot),
      name: name.slice(dot + 1),
      kind: "r",
      standing: "labelled",
      labels: table.labels,
      columns: new Map(columns),
    };
  });
  const facts = catalogFacts(version, relations, []);
  known.set(data, facts);
  return facts;
}
