/**
 * npm packages, from the npm registry and from nowhere else: sqlite3 is built from its source with the headers
 * that are on this machine, and Node 24 is itself a package. Never changes package-lock.json.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { installPackages } from "./debian.mjs";
import { ask, asOwner, BUILD, ROOT, run, SetupError, say } from "./run.mjs";

/**
 * Not `npm ci`: it refuses a lock file that lacks optional packages of other platforms, which npm leaves out when
 * the registry it was made with does not carry them. `--no-save` keeps to the locked versions and hashes just as
 * strictly, leaves the lock file alone, and does not build sqlite3 anew for every change of the lock.
 */
const INSTALL = ["install", "--no-save"];

const MODULES = join(ROOT, "node_modules");
/** The project's own runtime. */
export const NODE = join(MODULES, ".bin", "node");

/** Brings node_modules to what package-lock.json says. */
export function installModules() {
  const why = whyIncomplete();
  if (why === undefined) return;
  say(`installing npm packages (${why}); sqlite3 is built from source, some 3 minutes on two cores`);
  const headers = nodeHeaders();
  const remedy = "check that npm reaches its registry, then start again";
  const options = (nodedir) => ({ remedy, ...asOwner(environment(nodedir)) });
  if (headers !== undefined) {
    run("npm-install", "npm", INSTALL, options(headers));
  } else {
    // No headers beside this Node: take those of a package, so that nothing needs to be fetched from elsewhere.
    installPackages(["libuv1-dev"]);
    run("npm-install", "npm", [...INSTALL, "--ignore-scripts"], options(""));
    run("npm-rebuild", "npm", ["rebuild"], options(composeHeaders()));
  }
  const still = whyIncomplete();
  if (still !== undefined) throw new SetupError(`Cannot install the npm packages: ${still} after npm install`, remedy);
}

/** The reason why node_modules is not what package-lock.json says, or undefined. Reads two files; runs nothing. */
function whyIncomplete() {
  const hidden = join(MODULES, ".package-lock.json");
  if (!existsSync(hidden)) return "none are there";
  const wanted = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(hidden, "utf8")).packages;
  for (const [path, { version, optional, link }] of Object.entries(wanted)) {
    if (path === "" || link || !path.startsWith("node_modules/")) continue;
    if (installed[path] === undefined && optional) continue;
    if (installed[path]?.version !== version) return `${path.slice("node_modules/".length)} is not ${version}`;
  }
  if (!existsSync(join(MODULES, "sqlite3/build/Release/node_sqlite3.node"))) return "sqlite3 is not built";
  if (!existsSync(NODE)) return "Node 24 is missing";
  return undefined;
}

function environment(nodedir) {
  // npm may replace the Node in node_modules: nothing runs out of it meanwhile.
  const path = outsidePath().join(delimiter);
  return {
    ...process.env,
    PATH: path,
    JOBS: "max",
    npm_config_build_from_source: "true",
    npm_config_nodedir: nodedir,
    npm_config_audit: "false",
    npm_config_fund: "false",
    npm_config_update_notifier: "false",
  };
}

function outsidePath() {
  return (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.startsWith(ROOT));
}

/** A folder whose include/node has what node-gyp and sqlite3 need, or undefined. */
function nodeHeaders() {
  return outsidePath()
    .map((folder) => join(folder, "node"))
    .filter((file) => existsSync(file))
    .map((file) => dirname(dirname(realpathSync(file))))
    .find((folder) =>
      ["node_api.h", "uv.h", "common.gypi", "config.gypi"].every((name) =>
        existsSync(join(folder, "include", "node", name)),
      ),
    );
}

/** The same from the package node-api-headers; uv.h is then Debian's, on the compiler's own path. */
function composeHeaders() {
  const folder = join(BUILD, "node-headers");
  const include = join(folder, "include", "node");
  mkdirSync(include, { recursive: true });
  const source = join(MODULES, "node-api-headers", "include");
  for (const name of readdirSync(source)) copyFileSync(join(source, name), join(include, name));
  writeFileSync(join(include, "common.gypi"), COMMON_GYPI);
  writeFileSync(join(include, "config.gypi"), "{'target_defaults': {}, 'variables': {'napi_build_version': '9'}}\n");
  return folder;
}

/** What an addon without V8 needs of Node's own common.gypi. */
const COMMON_GYPI = `{
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': { 'Release': { 'cflags': ['-O3'] }, 'Debug': { 'cflags': ['-O0', '-g'] } },
    'cflags': ['-fPIC', '-pthread', '-Wall', '-Wno-unused-parameter'],
    'cflags_cc': ['-std=gnu++17', '-fno-rtti', '-fno-exceptions'],
    'ldflags': ['-pthread'],
  },
}
`;

/** Throws when the runtime does not start; asked once after an installation and whenever Node 24 is first used. */
export function assertRuntime() {
  const version = ask(NODE, ["--version"])?.trim();
  if (version?.startsWith("v24.")) return;
  throw new SetupError(
    `Cannot run the project's Node: "${version ?? "nothing"}" instead of v24`,
    "remove node_modules and start again; if npm said that it skipped install scripts, allow those of `node`",
  );
}
