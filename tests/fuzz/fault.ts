/** What the fuzzer finds: one thing that must never happen, in words. */

export type FaultKind =
  /** A machine threw what is no ProtocolError, or threw where it must not throw at all. */
  | "exception"
  /** One event took longer than any event may. */
  | "hang"
  /** More is kept than what the limits say. */
  | "memory"
  /** The server was sent what no verdict allowed, or not what was asked for. */
  | "unjudged"
  /** A hidden value reached the client, or the password the server. */
  | "leak"
  /** What the client got is no sequence of whole messages. */
  | "frames";

export class FuzzFault extends Error {
  readonly kind: FaultKind;

  constructor(kind: FaultKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "FuzzFault";
    this.kind = kind;
  }
}
