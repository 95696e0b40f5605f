/**
 * Run by sallyport-hook while no daemon answers: says whether a container would be an agent. Exit 0: it is none and
 * may start; 3: it is one, with a sentence on stdout; else: it cannot be told. Guards nothing, changes nothing.
 */
import { readFileSync } from "node:fs";
import { messageOf } from "../base/errors.ts";
import { Containers } from "../containers/containers.ts";
import { runtimeFolders } from "../containers/folders.ts";
import type { OciState } from "../containers/oci.ts";
import { type Matching, matchContainer } from "../identity/matchers.ts";
import { foundOf } from "./hooks.ts";

const AGENT = 3;
const UNKNOWN = 1;

try {
  const { cgroupRoot, agents } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as {
    readonly cgroupRoot: string;
    readonly agents: readonly Matching[];
  };
  const state = JSON.parse(readFileSync(0, "utf8")) as OciState;
  const { place, bundle } = foundOf(state, cgroupRoot);
  const containers = new Containers({ cgroupRoot, folders: () => runtimeFolders(process.env) });
  const facts = await containers.factsOf(place, bundle);
  const matched = facts === undefined ? undefined : matchContainer(agents, facts);
  if (facts === undefined) process.exitCode = UNKNOWN;
  if (facts !== undefined && matched !== undefined) {
    console.log(
      `Sallyport is not running; container ${facts.name} is guarded as ${matched.agent}. ` +
        "Start sallyport first: sudo systemctl start sallyport, or sudo sallyport up",
    );
    process.exitCode = AGENT;
  }
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = UNKNOWN;
}
