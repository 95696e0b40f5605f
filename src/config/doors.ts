/**
 * Unix sockets that agents may reach: names and paths as settings write them, as the paths that the kernel compares.
 * Opens none by itself: what no setting lists stays shut.
 */
import { nearest } from "../policy/nearest.ts";
import { invalid } from "./meaning.ts";
import type { Finding } from "./problems.ts";

/**
 * Usual sockets by the name of what listens. Paths as their clients write them: both /run and /var/run, since the
 * kernel compares what was written. Sources: the manual of each.
 */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  avahi: run("avahi-daemon/socket"),
  buildkit: run("buildkit/buildkitd.sock"),
  containerd: run("containerd/containerd.sock"),
  crio: run("crio/crio.sock"),
  cups: run("cups/cups.sock"),
  dbus: run("dbus/system_bus_socket"),
  docker: run("docker.sock"),
  journal: [...run("systemd/journal/socket"), ...run("systemd/journal/stdout"), ...run("systemd/journal/dev-log")],
  libvirt: run("libvirt/*"),
  mysql: [...run("mysqld/mysqld.sock"), "/var/lib/mysql/mysql.sock"],
  nscd: [...run("nscd/socket"), ...run("unscd/socket")],
  podman: run("podman/podman.sock"),
  postgres: run("postgresql/*"),
  redis: [...run("redis/*"), ...run("redis.sock")],
  resolved: run("systemd/resolve/*"),
  snapd: [...run("snapd.socket"), ...run("snapd-snap.socket")],
  sssd: ["/var/lib/sss/pipes/*"],
  syslog: ["/dev/log", ...run("systemd/journal/dev-log")],
  systemd: [...run("systemd/private"), ...run("systemd/notify"), ...run("systemd/userdb/*")],
  x11: ["@/tmp/.X11-unix/*"],
};

/** Everybody may write there, so an agent could put a symbolic link to any other socket in a door's place. */
const SHARED_FOLDERS = ["/tmp/", "/var/tmp/", "/dev/shm/"];

/** What the kernel holds. */
const DOORS_MAX = 256;
/** Source: unix(7), sun_path without its end. */
const PATH_BYTES_MAX = 107;
/** A door to it would let an agent lift its own guard. */
const OWN_SOCKETS = run("sallyport/api.sock");

/** Names, absolute paths ("/run/x/*" for all that begin so) and abstract sockets ("@name"). */
export function readDoors(texts: readonly string[], report: (finding: Finding) => void): readonly string[] {
  const paths = texts.flatMap((text, index) => {
    const known = Object.hasOwn(DOORS, text) ? DOORS[text] : undefined;
    if (known !== undefined) return known;
    const problem = doorProblem(text);
    if (problem === undefined) return [text];
    report(invalid(["sockets", "allow", index], "value", problem));
    return [];
  });
  const doors = [...new Set(paths)];
  if (doors.length > DOORS_MAX) {
    const message = `stands for ${doors.length} paths, and the kernel holds ${DOORS_MAX}; join some with *`;
    report(invalid(["sockets", "allow"], "value", message));
  }
  return doors;
}

function doorProblem(text: string): string | undefined {
  if (Buffer.byteLength(text) > PATH_BYTES_MAX) return `must be at most ${PATH_BYTES_MAX} bytes`;
  if (!/^[/@]/.test(text)) {
    const meant = nearest(text, Object.keys(DOORS));
    const help = meant === undefined ? `known: ${Object.keys(DOORS).join(", ")}` : `did you mean "${meant}"?`;
    return `is neither a path nor the name of a known socket; ${help}`;
  }
  const star = text.indexOf("*");
  if (star !== -1 && star !== text.length - 1) return "must have its * at the end, where it stands for the rest";
  if (text === "@" || text === "@*") return "must name an abstract socket";
  if (text.startsWith("/") && text.split("/").slice(1).some(isDetour)) {
    return "must be a plain path: no //, no . or .., no / at its end";
  }
  const shared = SHARED_FOLDERS.find((folder) => text.startsWith(folder));
  if (shared !== undefined) {
    return `lies in ${shared}, where an agent can put a link to any socket in its place; use a folder that only root writes`;
  }
  if (OWN_SOCKETS.some((own) => own === text || (star !== -1 && own.startsWith(text.slice(0, -1))))) {
    return "would open Sallyport's own socket, by which its guard can be lifted; name the sockets that are meant";
  }
  return undefined;
}

function isDetour(step: string): boolean {
  return step === "" || step === "." || step === "..";
}

function run(path: string): readonly string[] {
  return [`/run/${path}`, `/var/run/${path}`];
}
