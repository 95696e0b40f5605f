/** The manual page from commander's tree, in man(7) macros. */
import type { Command } from "commander";

export function manualPage(program: Command): string {
  return [
    `.TH SALLYPORT 1 "" "sallyport ${roff(program.version() ?? "")}" "Sallyport"`,
    ".SH NAME",
    `sallyport \\- ${roff(program.description())}`,
    ".SH SYNOPSIS",
    ".B sallyport",
    "[--run DIR | --url URL [--ca FILE]] [--json] COMMAND [OPTION...]",
    ".SH OPTIONS",
    ...optionLines(program),
    ".SH COMMANDS",
    ...program.commands.flatMap((command) => commandLines(command, "")),
    ".SH EXIT STATUS",
    "0 fine, 1 failed, 2 wrong usage, 3 daemon not reachable, 4 not permitted. For run: that of the command,",
    "128+N when signal N ended it, 125 when Sallyport failed, 126 and 127 as a shell.",
    ".SH FILES",
    ".TP",
    "/etc/sallyport/sallyport.yaml",
    "settings",
    ".TP",
    "/run/sallyport/api.sock",
    "where the daemon listens for this program",
  ].join("\n");
}

function commandLines(command: Command, before: string): string[] {
  const name = `${before}${command.name()}`;
  return [
    `.SS "${roff(`${name} ${command.usage()}`.trim())}"`,
    roff(command.description()),
    ...optionLines(command),
    ...command.commands.flatMap((child) => commandLines(child, `${name} `)),
  ];
}

function optionLines(command: Command): string[] {
  return command.options.flatMap(({ flags, description }) => [".TP", `\\fB${roff(flags)}\\fR`, roff(description)]);
}

/** A leading dot or quote would be a request, a backslash an escape, a bare hyphen a typographic one. */
function roff(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll('"', "\\(dq");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
