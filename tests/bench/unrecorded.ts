/**
 * Loaded before a daemon (`node --import`): it records nothing. Only so can a bench tell what recording costs; the
 * product has no such switch.
 */
import { registerHooks } from "node:module";

const NULL = new URL("./null-recorder.ts", import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    return found.url.endsWith("/src/recorder/recorder.ts") ? { ...found, url: NULL } : found;
  },
});
