/** The daemon's API with sessions alone, so that its memory is that of replaying. Its state folder is the argument. */
import { join } from "node:path";
import { startControlServer } from "../../../src/control/api/server.ts";
import type { ControlPorts } from "../../../src/control/ports.ts";
import type { PortParts } from "../../../src/daemon/ports/parts.ts";
import { sessionPorts } from "../../../src/daemon/ports/sessions.ts";
import { openStore } from "../../../src/store/store.ts";
import { quietLog } from "../../store/folder.ts";

const state = process.argv[2] ?? "";
const log = quietLog();
const store = await openStore(state, log);
const parts = { recordings: join(state, "recordings"), index: store.sessions } as PortParts;
const peer = () => ({ pid: process.pid, uid: 0, gid: 0, cgroup: "/", tagged: false });
const clock = { nowMs: () => Date.now() };
const ports = { peer, emit: () => {}, sessions: sessionPorts(parts) } as unknown as ControlPorts;
const runDir = join(state, "run");
await startControlServer({ socketPath: join(runDir, "api.sock"), ports, clock, log });
process.send?.({ runDir });
