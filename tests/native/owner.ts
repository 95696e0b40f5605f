/** A daemon to be killed: guards a cgroup, answers "owner", says when it is ready. Run by adopt.test.ts. */
import { closeSync, writeSync } from "node:fs";
import { Interceptor } from "ebpf-loader";
import { CGROUP_ROOT, listenOnLoopback, registered } from "./kit.ts";

const [pinDir = "", cgroup = "", births] = process.argv.slice(2);
const interceptor = new Interceptor({ cgroupRoot: CGROUP_ROOT, pinDir });
const { port, fds } = listenOnLoopback();
interceptor.tag(cgroup, 7);
interceptor.setListener(port);
interceptor.setDestinations([registered("192.0.2.10", 5432)]);
if (births !== undefined) interceptor.setBirths([{ kind: "path", glob: births, agent: 8 }]);
for (const fd of fds)
  interceptor.accept(fd, (accepted) => {
    writeSync(accepted.fd, "owner");
    closeSync(accepted.fd);
  });
process.send?.("ready");
