/** OTLP over HTTP, for OpenTelemetry collectors: gzipped batches, and the specification's word on what to try again. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { messageOf } from "../base/errors.ts";
import type { OtlpTarget } from "../model/sink.ts";
import { createPoster, failureOf, unanswered } from "./http-post.ts";
import { otlpBody, rejectedBy } from "./otlp-request.ts";
import type { Message, Outcome, Sink, SinkWorld } from "./sink.ts";

const compress = promisify(gzip);
/** All others "MUST NOT be retried" (OTLP specification, "Failures"). */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** Throws SINK_TLS. */
export function createOtlpSink(target: OtlpTarget, world: SinkWorld): Sink {
  const { url, encoding, headers } = target;
  const poster = createPoster(url, target.tls);
  const fixed = {
    "content-type": encoding === "json" ? "application/json" : "application/x-protobuf",
    "content-encoding": "gzip",
    "user-agent": `sallyport/${world.version}`,
  };
  return {
    async deliver(batch: readonly Message[], signal: AbortSignal): Promise<Outcome> {
      const { hostName, version } = world;
      const body = await compress(otlpBody(batch, { hostName, version, nowMs: world.nowMs() }, encoding));
      const secret: Record<string, string> = {};
      for (const { name, value } of headers) secret[name] = (await world.readSecret(value)).toString("utf8");
      try {
        const answer = await poster.post({ ...fixed, ...secret }, body, signal);
        if (answer.status < 200 || answer.status > 299) return failureOf(answer, (status) => RETRYABLE.has(status));
        const rejected = rejectedBy(answer.body, answer.contentType, batch.length);
        return rejected === undefined ? { kind: "taken" } : { kind: "taken", rejected };
      } catch (error) {
        return error instanceof SyntaxError || error instanceof RangeError
          ? { kind: "failed", reason: `it does not answer as OTLP does: ${messageOf(error)}` }
          : unanswered(error);
      }
    },
    close: () => poster.close(),
  };
}
