/** The attacks that Python cannot write, compiled when the suite starts. Static, so that they run in any container. */
import { chmodSync } from "node:fs";
import { basename, join } from "node:path";
import { capture } from "../kit/daemon.ts";

const SOURCES = ["i386-calls.c", "io-uring.c", "setuid-helper.c"] as const;

/** Into `<folder>/programs`, without their ending. The helper is setuid root. Throws when the compiler does. */
export async function compilePrograms(folder: string): Promise<void> {
  await Promise.all(
    SOURCES.map(async (source) => {
      const output = join(folder, "programs", basename(source, ".c"));
      const flags = ["-O1", "-static", "-no-pie", "-Wall", "-Werror", "-o", output];
      const { code, stderr } = await capture("cc", [...flags, join(import.meta.dirname, "programs", source)]);
      if (code !== 0) throw new Error(`Cannot compile ${source}: ${stderr}`);
    }),
  );
  chmodSync(join(folder, "programs", "setuid-helper"), 0o4755);
}
