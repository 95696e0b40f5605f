/**
 * The same bare relay twice: on a port of its own, and behind the redirect of a tagged cgroup, so that the difference
 * is what the redirect costs. `node redirected-relay.ts CGROUP BACKEND_PORT PIN_DIR CGROUP_ROOT LISTENER_PORT` prints the plain port and serves.
 */
import { type AddressInfo, connect, createServer, Socket } from "node:net";
import { Interceptor, listenIn, netnsCookie } from "ebpf-loader";

const [cgroup = "", backend = "", pinDir = "", cgroupRoot = "", port = ""] = process.argv.slice(2);

const plain = createServer({ noDelay: true }, relay).listen(0, "127.0.0.1", () => {
  const interceptor = new Interceptor({ cgroupRoot, pinDir });
  const listener = listenIn(null, "127.0.0.1", Number(port), 4096);
  interceptor.accept(listener, ({ fd, origin }) => {
    const accepted = new Socket({ fd });
    if (origin === undefined) accepted.destroy();
    else relay(accepted);
  });
  interceptor.setListener(Number(port), netnsCookie());
  const row = { address: "127.0.0.1", prefix: 32, port: Number(backend), protocol: "tcp" } as const;
  interceptor.setDestinations([{ ...row, action: "intercept", reason: "registered", connection: 1 }]);
  interceptor.tag(cgroup, 1);
  process.stdout.write(`${(plain.address() as AddressInfo).port}\n`);
});

function relay(client: Socket): void {
  const upstream = connect({ port: Number(backend), host: "127.0.0.1", noDelay: true });
  client.on("error", () => upstream.destroy()).on("close", () => upstream.destroy());
  upstream.on("error", () => client.destroy()).on("close", () => client.destroy());
  client.pipe(upstream).pipe(client);
}
