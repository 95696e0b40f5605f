/** What somebody's vote is worth by now, by what is known of them. Who started the agent and what was lent, holds/ knows. */
import type { Vote } from "../holds/record.ts";
import { unixUid } from "../model/human.ts";
import { ANSWERING } from "../model/role.ts";
import { type ChatHumanParts, chatHuman } from "./chat-human.ts";

/**
 * With those of its groups in which its giver still is, as the account says by which they answered. Root's stands, and so does
 * one by broken glass while its human is known. Undefined: it counts for nothing.
 */
export async function voteNow(vote: Vote, parts: ChatHumanParts): Promise<Vote | undefined> {
  const [account = ""] = vote.accounts;
  const isUser = unixUid(account) !== undefined;
  if (vote.reach === "every") return isUser || parts.humans.known(account) !== undefined ? vote : undefined;
  const own = await groupsNow(account, vote, parts);
  const groups = vote.groups.filter((group) => own?.has(group));
  const isLeft = groups.length > 0 || vote.lent !== undefined;
  return own !== undefined && isLeft ? { ...vote, groups } : undefined;
}

/** Undefined: nobody knows them, or they may not answer. */
async function groupsNow(
  account: string,
  { by }: Vote,
  parts: ChatHumanParts,
): Promise<ReadonlySet<string> | undefined> {
  const uid = unixUid(account);
  if (uid !== undefined) {
    const groups = await parts.groupsOf(uid);
    return groups.size === 0 ? undefined : groups;
  }
  const known = parts.humans.known(account);
  if (known !== undefined)
    return ANSWERING.some((role) => known.roles.has(role)) ? new Set(known.human.groups) : undefined;
  if (by !== undefined) return undefined; // what the settings give to who answers from a chat is nothing to a session
  return (await chatHuman(account, parts).catch(() => undefined))?.groups;
}
