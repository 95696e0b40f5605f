/** What somebody outside of every agent may do with the daemon. One may have several. */
export const ROLES = ["member", "reviewer", "auditor", "admin"] as const;

/** `member` runs and lists; `reviewer` answers what rules hold for their groups; `auditor` reads what agents asked and got. */
export type Role = (typeof ROLES)[number];
