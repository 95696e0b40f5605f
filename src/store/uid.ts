/** Who asked, as rows have it: what came over the network is of no user. */
import { NO_UID } from "../model/human.ts";

export function uidToRow(uid: number | undefined): number {
  return uid ?? NO_UID;
}

export function uidOfRow(raw: number): number | undefined {
  return raw === NO_UID ? undefined : raw;
}
