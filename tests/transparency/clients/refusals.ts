/** Replication is refused by Sallyport: each of its clients must end at once, with words that say why. */
import { join } from "node:path";
import { CLIENTS_DATABASE, type Sides } from "../sides.ts";
import { type Client, runOn } from "./client.ts";

const WORDS = /Replication connections are not permitted/;
/** None of them tries again. */
const LIMIT_MS = 30_000;

interface Attempt {
  readonly name: string;
  /** What Debian's says of a newer server, once that has let it in. */
  readonly newer?: RegExp;
  argv(folder: string): readonly string[];
}

const ATTEMPTS: readonly Attempt[] = [
  {
    name: "psql, logical",
    argv: () => ["psql", "-X", "-c", "IDENTIFY_SYSTEM", `dbname=${CLIENTS_DATABASE} replication=database`],
  },
  { name: "psql, physical", argv: () => ["psql", "-X", "-c", "IDENTIFY_SYSTEM", "replication=true"] },
  {
    name: "pg_recvlogical",
    argv: () => [
      "pg_recvlogical",
      "--slot=agent",
      "--create-slot",
      "--plugin=test_decoding",
      `--dbname=${CLIENTS_DATABASE}`,
    ],
  },
  { name: "pg_receivewal", argv: () => ["pg_receivewal", "--slot=agent_too", "--create-slot"] },
  {
    name: "pg_basebackup",
    newer: /incompatible server version/,
    argv: (folder) => ["pg_basebackup", `--pgdata=${join(folder, "backup")}`, "--checkpoint=fast"],
  },
];

export const REFUSAL_CLIENTS: readonly Client[] = [
  {
    name: "replication",
    what: `${ATTEMPTS.map(({ name }) => name).join("; ")}: works directly, is refused as agent with a clear error and an exit code`,
    packages: [],
    isQuick: false,
    differs: async (sides) => {
      await allowReplication(sides);
      for (const { name, newer, argv } of ATTEMPTS) {
        const direct = await runOn(sides.direct, argv(join(sides.folder)), { timeoutMs: LIMIT_MS });
        const isLetIn = direct.code === 0 || (sides.version > 15 && newer?.test(direct.stderr) === true);
        if (!isLetIn) return `${name}: the control does not work: ${direct.stderr}`;
        const guarded = await runOn(sides.guarded, argv(join(sides.folder, "never")), { timeoutMs: LIMIT_MS });
        if (guarded.code === null || guarded.code === 0) return `${name}: ended with ${guarded.code ?? guarded.signal}`;
        if (!WORDS.test(guarded.stderr)) return `${name}: said ${guarded.stderr}`;
      }
      return "";
    },
  },
];

/** The control: "all" in pg_hba.conf does not mean replication. */
async function allowReplication({ direct }: Sides): Promise<void> {
  await direct.postgres.query(`
    CREATE TEMP TABLE hba (line text);
    DO $$ BEGIN
      EXECUTE format('COPY hba FROM %L', current_setting('hba_file'));
      INSERT INTO hba VALUES ('host replication all all trust');
      EXECUTE format('COPY hba TO %L', current_setting('hba_file'));
    END $$;
    SELECT pg_reload_conf()`);
}
