/** api: what the daemon's API takes and gives. */
import type { Command } from "commander";
import type { OpenApi } from "../../api/openapi.ts";
import { table } from "../show.ts";
import type { OpenShell, Shell } from "../world.ts";

export function addApiCommand(program: Command, open: OpenShell): void {
  program
    .command("api")
    .description("the routes of the API, and who may use them; with --json its OpenAPI document")
    .addHelpText("after", "\nExamples:\n  sallyport api\n  sallyport --json api > openapi.json")
    .action((_options: object, command: Command) => api(open(command)));
}

async function api(shell: Shell): Promise<void> {
  const document = await shell.api.get<OpenApi>("/v1/openapi.json");
  if (shell.json) return shell.say(JSON.stringify(document));
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
  );
  shell.say(
    table(
      routes,
      [
        { title: "method", cell: ({ method }) => method },
        { title: "path", cell: ({ path }) => path },
        { title: "roles", cell: ({ "x-roles": roles }) => roles.join(" ") },
        { title: "what", cell: ({ summary }) => summary },
      ],
      shell.colours,
    ),
  );
}
