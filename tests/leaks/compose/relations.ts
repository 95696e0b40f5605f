/** What random queries select from: tables with and without labels, and what was made of them. */
import type { Kind } from "./expressions.ts";

export interface Column {
  readonly name: string;
  readonly kind: Kind;
  readonly labelled: boolean;
}

export interface Relation {
  readonly name: string;
  readonly columns: readonly Column[];
}

/** Words are `name:kind`, of text where there is no kind. */
function relation(name: string, clean: string, labelled: string): Relation {
  const columns = (words: string, isLabelled: boolean): Column[] =>
    words
      .split(" ")
      .filter(Boolean)
      .map((word) => {
        const [own = "", kind = "text"] = word.split(":");
        return { name: own, kind: kind as Kind, labelled: isLabelled };
      });
  return { name, columns: [...columns(clean, false), ...columns(labelled, true)] };
}

const NUMBERS = "n:number big:number num:number born:date seen:date";
const OTHERS = "doc:jsonb raw:json tags:array blob:bytea key:other pair:row kind:other short fixed:text plate:other";

export const CUSTOMERS: Relation = relation("customers", "id:number name email", "ssn card");
export const VAULT: Relation = relation(
  "vault",
  "id:number note",
  `${NUMBERS} ${OTHERS} addr:other mark:xml words:other`,
);

export const RELATIONS: readonly (readonly [weight: number, relation: Relation])[] = [
  [9, CUSTOMERS],
  [6, { ...CUSTOMERS, name: "public.customers" }],
  [7, VAULT],
  [2, relation("(SELECT * FROM orders WHERE id < 4)", "id:number customer:number amount:number note", "")],
  [1, relation("tickets", "id:number", "code")],
  [1, relation("app.plain", "id:number", "x")],
  [1, relation("app.made", "id:number", "x")],
  [1, relation("app.renamed", "one:number two", "three")],
  [1, relation("app.document", "id:number", "doc:jsonb")],
  [1, relation("app.united", "", "x")],
  [1, relation("app.named", "id:number ssn", "name")],
  [1, relation("app.barrier", "id:number", "x")],
  [1, relation("app.sizes", "id:number", "n:number born:date doc:jsonb tags:array pair:row")],
  [1, relation("app.kept", "id:number", "x")],
  [1, relation("app.chain", "n:number", "x")],
];

/** Names that much has, so that they hide each other. */
export const NAMES = ["name", "note", "value", "ssn", "card", "x", "orders", "customers", "plain", "t"] as const;

/** Clean rows around which a name may mean theirs or that of a query outside. */
export const HIDING = [
  "stash",
  "orders",
  "orders AS customers",
  "(SELECT 'clean' AS plain) AS plain",
  "(SELECT 'clean' AS ssn) AS customers",
  "(VALUES ('clean')) AS v(card)",
  `json_array_elements_text('["clean"]') AS t`,
  "unnest(ARRAY['clean']) AS x",
  "generate_series(1, 1) AS value",
  "(SELECT 'clean' AS name, 'clean' AS note) AS value",
] as const;
