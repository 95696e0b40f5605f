/** Whether an answer is one that the OpenAPI document has for its request. */
import assert from "node:assert/strict";
import type { Got, Sent } from "./ask.ts";
import { OPERATIONS } from "./document.ts";
import type { Request } from "./requests.ts";

/** What the server says of a request that is not as the document has it. */
const MALFORMED = new Set([
  "API_BODY_INVALID",
  "API_BODY_TYPE",
  "API_QUERY_INVALID",
  "API_ROUTE_UNKNOWN",
  "API_METHOD",
]);

/** Throws unless it is; `role` is the only one of whoever asked. */
export function judgeAnswer({ operation, path, sent, allowed }: Request, got: Got, role: string): void {
  assert.notEqual(got.status, 500, `${sent.method} ${path}: ${got.text}`);
  if (got.code === "API_ROUTE_UNKNOWN" || got.code === "API_METHOD") {
    assert.ok(allowed !== true, `${sent.method} ${path}: ${got.text}`);
    return; // it is no operation's, and none has declared it
  }
  const asked = OPERATIONS.find((one) => one.method === sent.method && one.path === operation.path);
  if (asked === undefined) return; // by chance it was another's path
  asked.check(got);
  assert.equal(got.code === "API_NOT_PERMITTED", !asked.roles.includes(role), `${asked.name}: ${got.text}`);
  if (got.code === "API_NOT_PERMITTED") return;
  if (allowed === true) assert.ok(!MALFORMED.has(got.code ?? ""), `${asked.name} ${path}: ${got.text}`);
  if (allowed === false) assert.ok(got.status >= 400, `${asked.name} ${path}: ${got.text}`);
  const body = bodyOf(sent);
  if (body !== undefined && got.code !== "API_QUERY_INVALID") {
    assert.equal(
      got.code === "API_BODY_INVALID",
      !asked.takes(body),
      `${asked.name} ${String(sent.body)}: ${got.text}`,
    );
  }
}

/** What the server is to judge by its schema; undefined where it does not come to that. */
export function bodyOf({ body, headers }: Sent): unknown {
  if (headers?.["content-type"] !== "application/json" || body === undefined) return undefined;
  if (body.length === 0) return {};
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(body)));
  } catch {
    return undefined;
  }
}
