/** `policy check` without a daemon: the same loader, nothing put into force. */
import { readFileSync } from "node:fs";
import { UserError } from "../base/errors.ts";
import type { PolicyCheck } from "../control/policy-ports.ts";
import { grantWarnings, loadSettings, readPolicyFolder, usualSettingsFile } from "./configuration.ts";
import { checkPolicy } from "./ports/policy.ts";

/** Without paths: the policies folder that the settings name; without those: the usual ones. */
export async function checkPolicyFiles(
  paths: readonly string[],
  settingsFile = usualSettingsFile(),
): Promise<PolicyCheck> {
  const { settings, connections } = loadSettings(settingsFile, []);
  const folder = settings.policies;
  if (paths.length === 0 && folder === undefined) {
    throw new UserError(
      "POLICY_UNREADABLE",
      settingsFile === undefined ? "Cannot find settings" : `Cannot find a policy: ${settingsFile} names none`,
      "Name policy files, or the settings with --config",
    );
  }
  const named = paths.map((path) => ({ name: path, text: readFileSync(path, "utf8") }));
  if (paths.length > 0 || folder === undefined) return checkPolicy(named, connections);
  const checked = checkPolicy(readPolicyFolder(folder), connections);
  return { ...checked, warnings: [...checked.warnings, ...grantWarnings(settings, connections)] };
}
