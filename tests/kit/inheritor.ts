/**
 * A daemon's next life: takes over the listeners that it was started with, says "ready", and answers every connection
 * with "inherited". Arguments: run folder, port, then the name of each descriptor from 3 on. Begins when told by a line.
 */
import { once } from "node:events";
import { closeSync, writeSync } from "node:fs";
import { Interception } from "../../src/kernel/interception.ts";
import { CGROUP_ROOT } from "../native/kit.ts";

const [runDir = "", port = "", ...names] = process.argv.slice(2);
const inherited = names.map((name, at) => ({ name, fd: 3 + at }));
await once(process.stdin, "data");
const interception = new Interception({
  runDir,
  port: Number(port),
  cgroupRoot: CGROUP_ROOT,
  inherited,
  holder: "manager",
});
interception.listen({
  onConnection: ({ fd, origin }) => {
    writeSync(fd, origin === undefined ? "no origin" : "inherited");
    closeSync(fd);
  },
  onQuery: () => {},
});
setInterval(() => interception.tend(), 100);
console.log("ready");
process.stdin.once("end", () => process.exit());
