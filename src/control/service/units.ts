/** The service's files as they are to lie on the host: where they come from, where they go, what is changed on the way. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../../base/errors.ts";
import { BUILT_LAUNCHER, INSTALLED_LAUNCHER } from "../cli/launcher.ts";

/** Where this installation lies: a checkout, or what a package brought. */
export const HOME = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");
/** As the files in systemd/ have it. */
const WRITTEN_HOME = "/opt/sallyport";
/** The administrator's own units. Source: systemd.unit(5). */
const UNIT_FOLDER = "/etc/systemd/system";

export const SETTINGS_FILE = "/etc/sallyport/sallyport.yaml";
export const UNITS = ["sallyport.socket", "sallyport.service"] as const;
export const LAUNCHER_CAPABILITIES = "cap_setpcap,cap_sys_admin+ep";

export interface HostFile {
  readonly path: string;
  readonly content: Buffer;
  readonly mode: number;
}

export function unitPath(unit: string): string {
  return join(UNIT_FOLDER, unit);
}

/** The units with the path of this installation. Throws SERVICE_PATH. */
export function unitFiles(home: string = HOME): readonly HostFile[] {
  if (!/^\/[\w@./+-]+$/.test(home)) {
    const remedy = "Move it to a path of letters, digits and any of @ . / + - _";
    throw new UserError("SERVICE_PATH", `Cannot name ${home} in a unit file`, remedy);
  }
  return UNITS.map((unit) => {
    const text = readFileSync(join(HOME, "systemd", unit), "utf8").replaceAll(WRITTEN_HOME, home);
    return { path: unitPath(unit), content: Buffer.from(text), mode: 0o644 };
  });
}

export function sampleSettings(): HostFile {
  return { path: SETTINGS_FILE, content: readFileSync(join(HOME, "systemd", "sallyport.yaml")), mode: 0o644 };
}

/** Undefined where it was not built. */
export function launcherFile(): HostFile | undefined {
  if (!existsSync(BUILT_LAUNCHER)) return undefined;
  return { path: INSTALLED_LAUNCHER, content: readFileSync(BUILT_LAUNCHER), mode: 0o755 };
}

/** Root runs what lies there: whoever may change it becomes root. Undefined when only root may. */
export function riskyOwner(home: string = HOME): string | undefined {
  for (const path of [
    home,
    join(home, "bin"),
    join(home, "bin", "sallyport"),
    join(home, "src"),
    join(home, "node_modules"),
  ]) {
    const { uid, mode } = statSync(path);
    if (uid !== 0 || (mode & 0o022) !== 0) return path;
  }
  return undefined;
}
