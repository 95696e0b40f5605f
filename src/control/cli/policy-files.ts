/** Policy files as the command line finds them: those that are named, those in folders, and the ready packs. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { codeOf, UserError } from "../../base/errors.ts";
import type { PolicyFile } from "../policy-ports.ts";

/** Shipped beside the code. */
const PACKS = new URL("../../policy/packs/", import.meta.url);

/** Rule files at these paths; none is an error unless no path was named. */
export function policyFilesAt(paths: readonly string[]): readonly PolicyFile[] {
  const files = paths.flatMap(filesAt);
  if (paths.length > 0 && files.length === 0) {
    throw new UserError(
      "FILE_UNREADABLE",
      `Cannot find a policy file in ${paths.join(", ")}`,
      "Name *.yaml files, or their folder",
    );
  }
  return files;
}

/** Tests of policies lie beside them. */
function isRuleFile(name: string): boolean {
  return /\.ya?ml$/.test(name) && !/\.test\.ya?ml$/.test(name);
}

function filesAt(path: string): PolicyFile[] {
  try {
    if (!statSync(path).isDirectory()) return [{ path, text: readFileSync(path, "utf8") }];
    const names = readdirSync(path).filter(isRuleFile);
    return names.sort().map((name) => ({ path: join(path, name), text: readFileSync(join(path, name), "utf8") }));
  } catch (cause) {
    const message = `Cannot read ${path}: ${codeOf(cause)}`;
    throw new UserError("FILE_UNREADABLE", message, "Check the path, its owner and its mode", { cause });
  }
}

export interface Pack {
  readonly name: string;
  /** Its first line. */
  readonly about: string;
  readonly text: string;
}

export function policyPacks(): readonly Pack[] {
  const names = readdirSync(PACKS).filter(isRuleFile).sort();
  return names.map((file) => {
    const text = readFileSync(new URL(file, PACKS), "utf8");
    return { name: file.replace(/\.ya?ml$/, ""), about: text.split("\n", 1)[0]?.replace(/^# ?/, "") ?? "", text };
  });
}
