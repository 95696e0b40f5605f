/** Every unmodified client, in the order of the table. */
import { BENCH_CLIENTS } from "./bench.ts";
import type { Client } from "./client.ts";
import { DUMP_CLIENTS } from "./dumps.ts";
import { PROGRAM_CLIENTS } from "./programs.ts";
import { REFUSAL_CLIENTS } from "./refusals.ts";
import { RESTORE_CLIENTS } from "./restores.ts";

export const CLIENTS: readonly Client[] = [
  ...PROGRAM_CLIENTS,
  ...BENCH_CLIENTS,
  ...DUMP_CLIENTS,
  ...RESTORE_CLIENTS,
  ...REFUSAL_CLIENTS,
];
