/** The addon and the BPF object: built when their sources changed. */
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { NODE } from "./npm.mjs";
import { asOwner, hashOf, isStamped, ROOT, run, SetupError, say, stamp } from "./run.mjs";

export function buildAddon() {
  const hash = hashOf(["bpf", "native", "package-lock.json"], process.arch);
  if (isStamped("addon", hash) && existsSync(join(ROOT, "native", "build"))) return;
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "native", "package.json"), "utf8"));
  if (scripts?.build === undefined) throw new SetupError("Cannot build the addon: native/ has no build script", "");
  say("building the addon and the BPF object");
  const env = { ...process.env, PATH: [dirname(NODE), process.env.PATH].join(delimiter) };
  run("addon", "npm", ["run", "build", "--workspace", "ebpf-loader"], {
    remedy: "the compiler's words above name the cause",
    ...asOwner(env),
  });
  stamp("addon", hash);
}
