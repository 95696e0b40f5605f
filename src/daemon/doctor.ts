/** What this machine offers, each with a verdict and a remedy. Works without a daemon. Changes nothing that lasts. */
import { existsSync, readFileSync } from "node:fs";
import type { Settings } from "../config.ts";
import { runtimeFolders } from "../containers/folders.ts";
import { hooksStatus, LIBRARY } from "../containers/installation.ts";
import type { DoctorReport } from "../control/ports.ts";
import { loadSettings, usualSettingsFile } from "./configuration.ts";
import { runtimeChecks } from "./doctor/containers.ts";
import { type Host, kernelChecks } from "./doctor/kernel.ts";
import { type NameSettings, nameChecks } from "./doctor/names.ts";
import { privilegeChecks } from "./doctor/privileges.ts";
import { clockCheck, coreDumpCheck, diskCheck, launcherCheck, serviceCheck, trustChecks } from "./doctor/service.ts";

export interface Examined {
  readonly stateDir: string;
  readonly runDir: string;
  /** What a running daemon goes by; the usual settings when absent. */
  readonly going?: Going;
}

export interface Going extends NameSettings {
  /** Undefined: none, hence defaults. */
  readonly settingsFile: string | undefined;
  /** Of the listener. */
  readonly port: number;
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

export async function doctorReport({ stateDir, runDir, going = usual() }: Examined): Promise<DoctorReport> {
  const hooks = hooksStatus({ library: LIBRARY });
  return {
    checks: [
      ...privilegeChecks(HOST, process.geteuid?.() ?? -1),
      ...kernelChecks(HOST, going.port),
      ...nameChecks(HOST, going),
      ...runtimeChecks(HOST, runtimeFolders(process.env), hooks),
      launcherCheck(HOST),
      ...trustChecks(HOST, runDir),
      await serviceCheck(HOST),
      clockCheck(HOST),
      coreDumpCheck(HOST),
      await diskCheck(stateDir),
      { name: "settings", verdict: "ok", found: going.settingsFile ?? "none: defaults", remedy: "" },
    ],
  };
}

/** Settings that cannot be read have an error of their own at `up`. */
function usual(): Going {
  const file = usualSettingsFile();
  try {
    return goingOf(file, loadSettings(file, []).settings);
  } catch {
    return goingOf(file, loadSettings(undefined, []).settings);
  }
}

export function goingOf(settingsFile: string | undefined, { interception, names, sockets }: Settings): Going {
  return { settingsFile, port: interception.port, servers: names.servers, doors: sockets.allow };
}
