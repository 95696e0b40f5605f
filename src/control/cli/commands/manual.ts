/** completion and man: made from the tree of commands itself, so that neither can fall behind. */
import type { Command } from "commander";
import { bashCompletion, zshCompletion } from "../completion.ts";
import { manualPage } from "../manual-page.ts";
import type { OpenShell } from "../world.ts";

export function addManualCommands(program: Command, open: OpenShell): void {
  const completion = program
    .command("completion")
    .description("print a completion script for a shell")
    .addHelpText("after", "\nExample:\n  sallyport completion bash > /etc/bash_completion.d/sallyport");
  completion
    .command("bash")
    .description("for bash")
    .action((_options: object, command: Command) => open(command).say(bashCompletion(program)));
  completion
    .command("zsh")
    .description("for zsh")
    .action((_options: object, command: Command) => open(command).say(zshCompletion(program)));
  program
    .command("man")
    .description("print the manual page (roff)")
    .addHelpText("after", "\nExample:\n  sallyport man | man -l -")
    .action((_options: object, command: Command) => open(command).say(manualPage(program)));
}
