/** Folders of the daemon, made at its start, with an error that a person can mend. */
import { mkdirSync } from "node:fs";
import { codeOf, UserError } from "../base/errors.ts";

/** Throws PRIVILEGE, STORE_UNUSABLE. */
export function makeFolder(path: string, mode: number): void {
  try {
    mkdirSync(path, { recursive: true, mode });
  } catch (cause) {
    const denied = ["EACCES", "EPERM"].includes(codeOf(cause));
    const remedy = denied ? "Run it as root: sudo sallyport up" : "Name another folder with --state or --run";
    throw new UserError(denied ? "PRIVILEGE" : "STORE_UNUSABLE", `Cannot make ${path}: ${codeOf(cause)}`, remedy, {
      cause,
    });
  }
}
