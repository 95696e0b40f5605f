/** `policy check` without a daemon: the same loader, nothing put into force. */
import { readFileSync } from "node:fs";
import type { PolicyCheck } from "../control/ports.ts";
import { loadSettings, readPolicyFolder } from "./configuration.ts";
import { checkPolicy } from "./ports.ts";

/** Without paths: the policies folder that the settings name. */
export async function checkPolicyFiles(paths: readonly string[], settingsFile?: string): Promise<PolicyCheck> {
  const { settings, connections } = loadSettings(settingsFile, []);
  const folder = settings.policies;
  const named = paths.map((path) => ({ name: path, text: readFileSync(path, "utf8") }));
  return checkPolicy(paths.length > 0 || folder === undefined ? named : readPolicyFolder(folder), connections);
}
