/** Where redirected connections arrive: each becomes one `guardConnection`, and none can end the daemon. */
import type { Accepted } from "ebpf-loader";
import { codeOf, messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { guardConnection, type PathParts } from "./connection.ts";

export function createListener(parts: PathParts, log: Log): (accepted: Accepted) => void {
  return (accepted) => {
    guardConnection(accepted, parts).catch((error: unknown) => {
      log.error("A connection ended by our own fault", { code: codeOf(error), error: messageOf(error) });
    });
  };
}
