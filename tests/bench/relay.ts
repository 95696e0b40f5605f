/**
 * A bare TCP relay on this runtime, as the comparison's upper bound: static read buffers, one write for each read,
 * a reader that waits while its write is under way. It looks at nothing. `node relay.ts PORT` prints its own port.
 */
import { type AddressInfo, connect, createServer, Socket } from "node:net";

const READ_BYTES = 64 * 1024;

const upstreamPort = Number(process.argv[2]);

/** Node reads an accepted socket into a fresh buffer each time; one made from its handle takes a static buffer. */
interface WithHandle {
  _handle: unknown;
}

const server = createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
  const bare = accepted as unknown as WithHandle;
  const handle = bare._handle;
  bare._handle = null;
  const sides: { client?: Socket; upstream?: Socket } = {};
  const client = new Socket({
    handle,
    allowHalfOpen: false,
    onread: into(
      () => sides.upstream,
      () => sides.client,
    ),
  } as ConstructorParameters<typeof Socket>[0]);
  const upstream = connect({
    port: upstreamPort,
    host: "127.0.0.1",
    noDelay: true,
    onread: into(
      () => sides.client,
      () => sides.upstream,
    ),
  });
  Object.assign(sides, { client, upstream });
  client.on("error", () => upstream.destroy()).on("close", () => upstream.destroy());
  upstream.on("error", () => client.destroy()).on("close", () => client.destroy());
  upstream.once("connect", () => client.resume());
});

/** Writes what was read to the other side; stops reading until that write is done, since the buffer is used again. */
function into(other: () => Socket | undefined, own: () => Socket | undefined) {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  let waits = false;
  const written = () => {
    if (!waits) return;
    waits = false;
    own()?.resume();
  };
  return {
    buffer,
    callback: (length: number) => {
      const target = other();
      if (target === undefined) return false;
      target.write(buffer.subarray(0, length), written);
      waits = target.writableLength > 0;
      return !waits;
    },
  };
}

server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
