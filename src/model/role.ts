/** What somebody outside of every agent may do with the daemon. One may have several. */
export const ROLES = ["member", "reviewer", "auditor", "admin"] as const;

/** What settings give to groups of humans. `break-glass` may do nothing but become admin for a while, with a reason. */
export const GIVEN_ROLES = [...ROLES, "break-glass"] as const;

/** `member` runs and lists; `reviewer` answers what rules hold for their groups; `auditor` reads what agents asked and got. */
export type Role = (typeof GIVEN_ROLES)[number];

/** Any of these lets one answer what a rule holds for a group of theirs. */
export const ANSWERING: readonly Role[] = ["member", "reviewer", "admin"];
