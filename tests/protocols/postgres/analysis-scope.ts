/** The catalog and labels that label tests share: customers with ssn and card labelled, orders clean, a view derived. */
import type { DataLabels } from "../../../src/model/connection.ts";
import { type CatalogFacts, type CatalogRelation, catalogFacts } from "../../../src/protocols/postgres/catalog.ts";

export const CUSTOMER_LABELS: DataLabels = {
  "public.customers": { labels: [], columns: { ssn: ["pii"], card: ["pii", "payment"] } },
};

function relation(
  oid: number,
  name: string,
  standing: CatalogRelation["standing"],
  columns: Readonly<Record<string, readonly string[]>>,
): CatalogRelation {
  const numbered = Object.entries(columns).map(([column, labels], at) => [at + 1, { name: column, labels }] as const);
  const kind = standing === "labelled" ? "r" : "v";
  return {
    oid,
    schema: "public",
    name,
    kind,
    standing,
    labels: standing === "derived" ? ["pii"] : [],
    columns: new Map(numbered),
  };
}

export const CUSTOMER_CATALOG: CatalogFacts = catalogFacts(
  "1",
  [
    relation(20_001, "customers", "labelled", { id: [], name: [], email: [], card: ["pii", "payment"], ssn: ["pii"] }),
    relation(20_002, "customers_2024", "labelled", { id: [], ssn: ["pii"], card: ["pii"] }),
    relation(20_003, "contacts", "derived", {}),
  ],
  [],
);
