/**
 * Groups of a client's messages that a relay may carry by comparing bytes: all of one form ask for the same operation and
 * are answered alike. Plain values; a protocol makes them, and a relay (native/src/relay.h) compares with them.
 */
import type { Asked } from "./operation.ts";

/**
 * What differs from group to group. "integer": 1 to 9 digits of a text. Others are bound parameters: a length (int32 BE, -1: NULL)
 * and so many bytes, of text ("value") or of one integer.
 */
export type Place = "integer" | "value" | "int2" | "int4" | "int8";

/** Whether groups of known forms go past sessions. "always": as soon as they are known, even where coming and going costs more. */
export type RelayMode = "auto" | "off" | "always";

export interface FormMessage {
  /** Its first byte; a length (int32 BE, counts itself) and `parts` follow. */
  readonly type: number;
  readonly parts: readonly (Uint8Array | Place)[];
}

export interface Form {
  readonly request: readonly FormMessage[];
  /** Whole messages of the server, in order, before the rows. */
  readonly answer: readonly Uint8Array[];
  /** Rows may follow these, none of which a mask changes or looks at. */
  readonly hasRows: boolean;
  /** As it was asked with the first group of the form. */
  readonly asked: Asked;
  /** The text of `asked` has open places: each group is recorded with its own. */
  readonly isTextOpen: boolean;
  /** A group of it leaves something behind that later ones may use: whoever made the form has to hear which was the last. */
  readonly leaves: boolean;
}

/** A group that a relay has forwarded and that is not answered in full. */
export interface InFlight {
  readonly form: Form;
  readonly askId: number;
  /** The group. */
  readonly bytes: Uint8Array;
  /** Messages of the form's answer that the client has. */
  readonly step: number;
  /** Rows that the client has, the last one perhaps in part. */
  readonly rows: number;
  readonly rowBytes: number;
  /** The protocol's success text, where the client has it. */
  readonly outcome: string | undefined;
}

/** What a relay has done for a session since the session was at rest. */
export interface Relayed {
  /** Groups that were forwarded; their ids follow the session's last one. */
  readonly asks: number;
  readonly inFlight: readonly InFlight[];
  /** Of the groups that were answered, the last whose form `leaves` something. */
  readonly left: Form | undefined;
  /** Bytes of the row in front that the client still has to get as they are. */
  readonly passing: number;
  /** Byte of the last ReadyForQuery, or of its like; 0: there was none. */
  readonly status: number;
  /** At some time no transaction was open: what lives as long as one is gone. */
  readonly wasIdle: boolean;
}
