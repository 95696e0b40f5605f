/** The four policies that the suite tries to get past, as somebody would write them. Default deny does the rest. Data only. */
import type { PolicyName } from "./attack.ts";

const REACH = `
  - name: reach
    on: connect
    allow: {}`;

export const POLICIES: Readonly<Record<PolicyName, string>> = {
  "no-ddl": `rules:${REACH}
  - name: rows
    on: [sql.read, sql.insert, sql.update, sql.delete, sql.copy]
    allow: {}
  - name: no-ddl
    on: [sql.define, sql.administer, sql.session]
    deny: { message: "No changes of schema, roles or settings" }
`,
  "no-whole-table": `rules:${REACH}
  - name: rows-and-schema
    on: [sql.read, sql.insert, sql.update, sql.delete, sql.copy, sql.define, sql.session]
    allow: {}
  - name: whole-table-writes
    on: [sql.delete, sql.update]
    when: "!statement.where.present || statement.where.tautology"
    deny: { message: "DELETE and UPDATE need a WHERE that selects" }
`,
  "only-select": `rules:${REACH}
  - name: two-tables
    on: sql.read
    when: "statement.tables.all(t, t.schema in ['', 'public'] && t.name in ['orders', 'products'])"
    allow: {}
`,
  "no-server": `rules:${REACH}
  - name: database
    on: [sql.read, sql.insert, sql.update, sql.delete, sql.copy, sql.define, sql.session]
    allow: {}
  - name: no-server
    on: sql.server
    deny: { message: "No files and no programs of the server" }
`,
};

export const PROMISES: Readonly<Record<PolicyName, string>> = {
  "no-ddl": "no DDL, no roles, no settings",
  "no-whole-table": "no DELETE or UPDATE without a WHERE that selects",
  "only-select": "only SELECT, and only on `orders` and `products`",
  "no-server": "no server files, no programs, no other servers",
};
