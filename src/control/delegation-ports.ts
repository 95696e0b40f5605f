/** What the API may ask about delegations of approvals: which there are, made by lenders, ended by whoever may. */
import type { Caller } from "./ports.ts";

export interface DelegationPorts {
  /** Those that the caller lends or borrows, of auditors and admins all; newest first. `all`: also what is over. */
  list(query: { readonly all: boolean }, caller: Caller): Promise<readonly DelegationListing[]>;
  /** Throws DELEGATION_NOT_PERMITTED, DELEGATION_WHO, DELEGATION_TIME, DELEGATIONS_FULL. */
  make(request: DelegationRequest, caller: Caller): Promise<DelegationListing>;
  /** One that the caller lends or borrows; of an admin any. Undefined: none of that id stands. */
  end(id: string, caller: Caller): Promise<DelegationListing | undefined>;
}

export interface DelegationRequest {
  readonly group: string;
  /** An account, a user of the host, or a name that the settings give to a human. */
  readonly to: string;
  /** One of both. */
  readonly forMs?: number;
  readonly untilMs?: number;
  readonly reason?: string;
}

export interface DelegationListing {
  readonly id: string;
  readonly group: string;
  /** The lender. */
  readonly from: string;
  readonly fromAccount: string;
  /** "admin": the group was not the lender's own. */
  readonly as: "member" | "admin";
  readonly to: string;
  readonly toAccount: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** `suspended`: it lends nothing at this moment. */
  readonly state: "in force" | "suspended" | "over";
  /** Why it is not in force. */
  readonly why?: string;
  /** "" without one. */
  readonly reason: string;
}
