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
  definition?: string,
): CatalogRelation {
  const numbered = Object.entries(columns).map(
    ([name, labels], at) => [at + 1, { name, labels, typeOid: name === "id" ? 23 : 25 }] as const,
  );
  const kind = definition === undefined ? "r" : "v";
  return {
    oid,
    schema: "public",
    name,
    kind,
    standing,
    labels: standing === "derived" ? ["pii"] : [],
    columns: new Map(numbered),
    ...(definition === undefined ? {} : { definition }),
  };
}

export const CUSTOMER_CATALOG: CatalogFacts = catalogFacts(
  "1",
  [
    relation(20_001, "customers", "labelled", { id: [], name: [], email: [], card: ["pii", "payment"], ssn: ["pii"] }),
    relation(20_002, "customers_2024", "labelled", { id: [], ssn: ["pii"], card: ["pii"] }),
    relation(
      20_003,
      "contacts",
      "derived",
      { id: [], who: [], number: [] },
      "SELECT customers.id, customers.name AS who, upper(customers.ssn) AS number FROM public.customers",
    ),
    relation(20_004, "orders", "clean", { id: [], customer_id: [], total: [], note: [] }),
    relation(20_005, "ruled", "derived", { id: [] }),
  ],
  [],
  ["tell_of"],
);
