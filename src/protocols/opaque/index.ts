/** Opaque TCP as the rest of the tree sees it. */
import type { Protocol } from "../../model/protocol.ts";
import { OPAQUE_ACTIONS } from "./actions.ts";
import { OpaqueSession } from "./session.ts";

export const opaque: Protocol = {
  name: "opaque",
  needsCredential: false,
  actions: OPAQUE_ACTIONS,
  prepare: () => Promise.resolve(),
  session: () => new OpaqueSession(),
  login: () => undefined,
};
