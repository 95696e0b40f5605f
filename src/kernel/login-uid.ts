/** Who logged in on this host before any sudo or su, as the kernel's audit keeps it for a process. Source: pam_loginuid(8). */
import { readFileSync } from "node:fs";
import { NO_UID } from "../model/human.ts";

/** Undefined where nobody logged in (services), where the kernel keeps none, and of a process that is gone. */
export function loginUidOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/loginuid`, "utf8").trim();
    const uid = /^[0-9]{1,10}$/.test(text) ? Number(text) : NO_UID;
    return uid === NO_UID ? undefined : uid;
  } catch {
    return undefined;
  }
}
