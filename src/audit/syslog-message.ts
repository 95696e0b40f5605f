/** Syslog messages (RFC 5424) in octet-counted frames (RFC 6587 3.4.1, RFC 5425 4.3). Only forms bytes. */

import { severityOf } from "./severity.ts";
import type { Message } from "./sink.ts";

/** Log audit. */
const FACILITY = 13;
/** The number that RFC 5612 gives to examples: Sallyport has none of its own. */
const STRUCTURED_ID = "sallyport@32473";
const SEVERITY = { information: 6, notice: 5, warning: 4, critical: 2 } as const;

export interface SyslogOrigin {
  readonly hostName: string;
  readonly pid: number;
}

export function frameOf({ seq, event, text }: Message, { hostName, pid }: SyslogOrigin): Buffer {
  const priority = FACILITY * 8 + SEVERITY[severityOf(event.kind)];
  const stamp = new Date(event.atMs).toISOString();
  const { sessionId, agent, connection, kind } = event;
  const data = { seq: String(seq), kind, session: sessionId, agent, connection };
  const parameters = Object.entries(data).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${value.replace(/["\\\]]/g, "\\$&")}"`],
  );
  const header = `<${priority}>1 ${stamp} ${word(hostName, 255)} sallyport ${pid} ${word(kind, 32)}`;
  const message = Buffer.from(`${header} [${STRUCTURED_ID} ${parameters.join(" ")}] ${text}`);
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}

/** A header's word: printable ASCII without spaces, or "-". */
function word(text: string, lengthMax: number): string {
  return text.replace(/[^\x21-\x7e]/g, "").slice(0, lengthMax) || "-";
}
