/** What this machine offers, each with a verdict and a remedy. Works without a daemon. Changes nothing that lasts. */
import { existsSync, readFileSync } from "node:fs";
import { runtimeFolders } from "../containers/folders.ts";
import { hooksStatus, LIBRARY } from "../containers/installation.ts";
import type { DoctorReport } from "../control/ports.ts";
import { loadSettings, usualSettingsFile } from "./configuration.ts";
import { runtimeChecks } from "./doctor/containers.ts";
import { type Host, kernelChecks } from "./doctor/kernel.ts";
import { nameChecks } from "./doctor/names.ts";
import { privilegeChecks } from "./doctor/privileges.ts";
import { clockCheck, coreDumpCheck, diskCheck, launcherCheck, serviceCheck, trustChecks } from "./doctor/service.ts";

export interface Examined {
  readonly stateDir: string;
  readonly runDir: string;
  /** Of the listener; what the usual settings say when absent. */
  readonly port?: number;
}

const HOST: Host = {
  read: (file) => {
    try {
      return readFileSync(file, "utf8");
    } catch {
      return undefined;
    }
  },
  exists: existsSync,
};

export async function doctorReport({ stateDir, runDir, port = usualPort() }: Examined): Promise<DoctorReport> {
  const hooks = hooksStatus({ library: LIBRARY });
  return {
    checks: [
      ...privilegeChecks(HOST, process.geteuid?.() ?? -1),
      ...kernelChecks(HOST, port),
      ...nameChecks(HOST),
      ...runtimeChecks(HOST, runtimeFolders(process.env), hooks),
      launcherCheck(HOST),
      ...trustChecks(HOST, runDir),
      await serviceCheck(HOST),
      clockCheck(HOST),
      coreDumpCheck(HOST),
      await diskCheck(stateDir),
      {
        name: "settings",
        verdict: "ok",
        found: usualSettingsFile() ?? "none at the usual place: the daemon runs on defaults, or on what --config names",
        remedy: "",
      },
    ],
  };
}

/** Settings that cannot be read have an error of their own at `up`. */
function usualPort(): number {
  try {
    return loadSettings(usualSettingsFile(), []).settings.interception.port;
  } catch {
    return loadSettings(undefined, []).settings.interception.port;
  }
}
