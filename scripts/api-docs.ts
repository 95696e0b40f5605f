/** Writes what docs/ says of the API: openapi.json and roles.md. Tests hold them to the routes. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openApiOf } from "../src/control/api/openapi.ts";
import { ROUTES } from "../src/control/api/routes.ts";
import { GIVEN_ROLES } from "../src/model/role.ts";

const DOCS = join(import.meta.dirname, "..", "docs");

/** By its name in docs/. */
export const API_DOCS: Readonly<Record<string, string>> = {
  "openapi.json": `${JSON.stringify(openApiOf(ROUTES), null, 2)}\n`,
  "roles.md": rolesPage(),
};

function rolesPage(): string {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    "# Who may ask what",
    "",
    "Written by `npm run api-docs` from the routes. Everything else is refused: whoever has no role, and every process",
    "inside of an agent, whatever its user and whatever it shows. One who has several roles may what any of them may.",
    "",
    "- **member**: of the Unix group `sallyport`; runs and lists.",
    "- **reviewer**: answers what rules hold for their groups. Who may see and answer which, [approvals.md](approvals.md) says.",
    "- **auditor**: reads what agents asked and got.",
    "- **admin**: all; root outside of every agent is one.",
    "- **break-glass**: becomes admin for a while, with a reason and an alarm ([humans.md](humans.md#breaking-the-glass)).",
    "",
    row(["route", ...GIVEN_ROLES, "what it does"]),
    row(["---", ...GIVEN_ROLES.map(() => ":-:"), "---"]),
    ...ROUTES.map(({ method, path, roles, summary }) =>
      row([`\`${method} ${path}\``, ...GIVEN_ROLES.map((role) => (roles.includes(role) ? "yes" : "")), summary]),
    ),
    "",
  ].join("\n");
}

if (import.meta.main) for (const [name, text] of Object.entries(API_DOCS)) writeFileSync(join(DOCS, name), text);
