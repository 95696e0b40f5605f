/** The addon and the BPF object: built when their sources changed. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { NODE } from "./npm.mjs";
import { asOwner, hashOf, isStamped, ROOT, run, SetupError, say, stamp } from "./run.mjs";

const NATIVE = join(ROOT, "native");
const BUILD = join(NATIVE, "build");

export function buildAddon() {
  const hash = hashOf(["bpf", "native", "package-lock.json"], process.arch);
  if (isStamped("addon", hash) && existsSync(BUILD)) return;
  const { scripts } = JSON.parse(readFileSync(join(NATIVE, "package.json"), "utf8"));
  if (scripts?.build === undefined) throw new SetupError("Cannot build the addon: native/ has no build script", "");
  if (!isOfThisTree()) rmSync(BUILD, { recursive: true });
  say("building the addon and the BPF object");
  const env = { ...process.env, PATH: [dirname(NODE), process.env.PATH].join(delimiter) };
  run("addon", "npm", ["run", "build", "--workspace", "ebpf-loader"], {
    remedy: "the compiler's words above name the cause",
    ...asOwner(env),
  });
  stamp("addon", hash);
}

/** A build folder that came along when the tree was copied or moved builds the sources of where it came from. */
function isOfThisTree() {
  const cache = join(BUILD, "CMakeCache.txt");
  return !existsSync(cache) || readFileSync(cache, "utf8").includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${NATIVE}\n`);
}
