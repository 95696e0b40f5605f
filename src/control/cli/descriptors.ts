/** Which open descriptors a child would inherit: a socket opened before the guard passes every hook. Source: proc(5). */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** O_CLOEXEC as fdinfo shows it, octal. */
const CLOSE_ON_EXEC = 0o2000000;

/** Numbers of sockets beside stdin, stdout and stderr that stay open across exec. */
export function openSockets(): number[] {
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => fd > 2 && isInheritedSocket(fd));
}

function isInheritedSocket(fd: number): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "0";
    return (
      (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0 && readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:")
    );
  } catch {
    return false; // closed since it was listed: the listing's own descriptor
  }
}
