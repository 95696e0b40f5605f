/**
 * A client's way from its first byte to its StartupMessage: which packets may come, how often, and in
 * what order with TLS. Keeps nothing but that order.
 */
import { ProtocolError } from "../../base/errors.ts";
import type { SessionCommand } from "../../model/session.ts";
import type { Inlet } from "./codec.ts";
import { type Opening, readOpening } from "./startup.ts";

export type DoorwayNext =
  | Extract<Opening, { kind: "more" | "cancel" | "startup" | "refused" }>
  | { readonly kind: "reply"; readonly bytes: Uint8Array }
  | {
      readonly kind: "secure";
      readonly reply: Uint8Array | undefined;
      readonly command: Extract<SessionCommand, { kind: "secure" }>;
    };

export class Doorway {
  #encryption: "none" | "on" = "none";
  #hasRefusedGss = false;

  /** The client is encrypted now. */
  secured(): void {
    this.#encryption = "on";
  }

  /** Throws ProtocolError. */
  next(inlet: Inlet): DoorwayNext {
    const opening = readOpening(inlet);
    switch (opening.kind) {
      case "sslRequest":
        // Bytes behind the request would be taken for encrypted ones later: somebody stuffed the buffer.
        if (this.#encryption === "on" || inlet.unread > 0) throw unencrypted();
        return {
          kind: "secure",
          reply: Buffer.from("S"),
          command: { kind: "secure", side: "client", unread: NOTHING },
        };
      case "directTls": {
        if (this.#encryption === "on" || this.#hasRefusedGss) {
          throw new ProtocolError("TLS_TWICE", "Cannot begin TLS here");
        }
        const unread = Buffer.from(inlet.bytes.subarray(inlet.at, inlet.end));
        inlet.clear();
        const command = { kind: "secure", side: "client", unread, alpn: "postgresql" } as const;
        return { kind: "secure", reply: undefined, command };
      }
      case "gssRequest":
        if (this.#encryption === "on" || this.#hasRefusedGss) {
          throw new ProtocolError("GSS_TWICE", "Cannot answer a GSSENCRequest here");
        }
        this.#hasRefusedGss = true;
        return { kind: "reply", bytes: Buffer.from("N") };
      default:
        return opening;
    }
  }
}

const NOTHING = new Uint8Array();

export function unencrypted(): ProtocolError {
  return new ProtocolError("UNENCRYPTED", "Cannot go on: unencrypted data followed the request for TLS");
}
