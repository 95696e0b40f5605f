/** A PostgreSQL server on a host under test. Prints its port, ends with its stdin. */
import { startPostgres } from "../../kit/postgres.ts";

const [, , password = ""] = process.argv;
const postgres = await startPostgres({
  version: 18,
  password,
  addresses: ["127.0.0.1"],
  settings: { log_statement: "none" },
});
console.log(postgres.port);
process.stdin.resume().on("end", () => void postgres.stop().then(() => process.exit(0)));
