/** Batches as JSON by POST, signed with HMAC-SHA256 over the moment and the body, so that a receiver knows us and the time. */
import { createHmac } from "node:crypto";
import type { WebhookTarget } from "../model/sink.ts";
import { createPoster, failureOf, unanswered } from "./http-post.ts";
import type { Message, Outcome, Sink, SinkWorld } from "./sink.ts";

/** Throws SINK_TLS. */
export function createWebhookSink(target: WebhookTarget, world: SinkWorld): Sink {
  const poster = createPoster(target.url, target.tls);
  return {
    async deliver(batch: readonly Message[], signal: AbortSignal): Promise<Outcome> {
      const body = Buffer.from(`{"events":[${batch.map(({ text }) => text).join(",")}]}`);
      const timestamp = String(Math.floor(world.nowMs() / 1_000));
      const key = await world.readSecret(target.key);
      const signature = signatureOf(key, timestamp, body);
      key.fill(0);
      const headers = {
        "content-type": "application/json",
        "user-agent": `sallyport/${world.version}`,
        "sallyport-timestamp": timestamp,
        "sallyport-signature": `v1=${signature}`,
        "sallyport-sequence": `${batch[0]?.seq ?? 0}-${batch.at(-1)?.seq ?? 0}`,
      };
      try {
        const answer = await poster.post(headers, body, signal);
        if (answer.status >= 200 && answer.status < 300) return { kind: "taken" };
        return failureOf(answer, (status) => status === 408 || status === 429 || status >= 500);
      } catch (error) {
        return unanswered(error);
      }
    },
    close: () => poster.close(),
  };
}

/** Hex of HMAC-SHA256 over `TIMESTAMP.BODY`. */
export function signatureOf(key: Uint8Array, timestamp: string, body: Uint8Array): string {
  return createHmac("sha256", key).update(`${timestamp}.`).update(body).digest("hex");
}
