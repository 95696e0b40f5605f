/** How an error is said on stderr: for a person in two lines, with --json as one object. */
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import { printableLines } from "./show.ts";
import { coloursFor, type World } from "./world.ts";

/** Says an error and returns its exit code. Nothing but our own words and the daemon's, made printable. */
export function complain(world: World, error: unknown): number {
  const { code, message, remedy, exitCode } = described(error);
  if (wantsJson(world.argv)) {
    world.stderr.write(`${JSON.stringify({ error: { code, message, remedy } })}\n`);
    return exitCode;
  }
  const colours = coloursFor(world, world.stderr);
  world.stderr.write(`${colours.red("sallyport")}: ${code}: ${printableLines(message, "  ")}\n`);
  if (remedy !== "") world.stderr.write(`${colours.bold("remedy")}: ${printableLines(remedy, "  ")}\n`);
  return exitCode;
}

function described(error: unknown) {
  if (error instanceof UserError) return error;
  const remedy = error instanceof Error && "remedy" in error ? String(error.remedy) : "Please report this";
  return { code: codeOf(error), message: messageOf(error), remedy, exitCode: 1 };
}

/** Asked before options are parsed, since parsing itself may fail. Behind "--" stands another program's line. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end === -1 ? undefined : end).includes("--json");
}
