/**
 * Builds the harness around the relay's own sources, with AddressSanitizer and UndefinedBehaviorSanitizer, unless it is
 * there: for these sources, in build/relay-fuzz. `planted`: from copies with the faults of planted.ts, none switched on.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { PLANTED } from "./planted.ts";

const run = promisify(execFile);
const NATIVE = join(import.meta.dirname, "../../../native/src");
const BUILD = join(import.meta.dirname, "../../../build/relay-fuzz");
const SOURCES = ["relay.cc", "groups.cc", "records.cc", "standing.cc", "failure.cc"] as const;
const FLAGS = [
  ...["-std=c++17", "-O1", "-g1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"],
  ...["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-iquote", NATIVE],
];
/** SHA256_* are Node's in the product; openssl(1) comes with the same library, without its headers and link. */
const LINKS = [...["send", "recv", "write", "ftruncate"].map((call) => `-Wl,--wrap=${call}`), "-l:libcrypto.so.3"];

/** Resolves with the program. Rejects with the compiler's words. */
export async function buildRelayFuzz(which: "as it is" | "planted"): Promise<string> {
  const sources = SOURCES.map((name) => ({ name, text: readFileSync(join(NATIVE, name), "utf8") }));
  const compiled = which === "planted" ? sources.map(plant) : sources;
  const hash = createHash("sha256").update(JSON.stringify([compiled, FLAGS, LINKS]));
  for (const folder of [NATIVE, import.meta.dirname])
    for (const name of readdirSync(folder).sort())
      if (/\.(?:h|cc)$/.test(name)) hash.update(readFileSync(join(folder, name)));
  const kind = which === "planted" ? "planted-" : "whole-";
  const program = join(BUILD, `${kind}${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(program)) return program;
  const folder = join(BUILD, `${kind}objects-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    const files = compiled.map(({ name, text }) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    });
    files.push(join(import.meta.dirname, "main.cc"));
    const objects = files.map((_, at) => join(folder, `${at}.o`));
    const compile = (file: string, at: number) => run("g++", [...FLAGS, "-c", file, "-o", objects[at] ?? ""]);
    await Promise.all(files.map(compile));
    const fresh = join(folder, "program");
    await run("g++", [...FLAGS, ...objects, ...LINKS, "-o", fresh]);
    for (const old of readdirSync(BUILD))
      if (old.startsWith(kind) && !old.includes("objects")) rmSync(join(BUILD, old));
    renameSync(fresh, program);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return program;
}

interface Source {
  readonly name: string;
  readonly text: string;
}

function plant({ name, text }: Source): Source {
  let planted = text.replace("namespace sallyport {", "namespace sallyport {\nextern int planted;");
  for (const [at, { file, from, to, name: fault }] of PLANTED.entries()) {
    if (file !== name) continue;
    if (planted.split(from).length !== 2) throw new Error(`Cannot plant "${fault}": ${file} has not one ${from}`);
    planted = planted.replace(from, () => to.replaceAll("planted", `(sallyport::planted == ${at + 1})`));
  }
  return { name, text: planted };
}
