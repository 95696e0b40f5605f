/** Of what texts with numbers are put together. */
import type { Random } from "../fuzz/random.ts";

/** One to `most` of them. */
export const digits = (random: Random, most: number) =>
  Array.from({ length: 1 + random.below(most) }, () => String(random.below(10))).join("");
/** Numbers that are something where anything beside them says so. */
export const TELLING = [
  "219099999",
  "457555462",
  "2125550123",
  "44201234567",
  "4111111111",
  "12025550123",
  "5018000000",
];

export const SQL = [
  "SELECT n FROM t WHERE id = ",
  " AND n = ",
  ";",
  " LIMIT ",
  "(",
  ")",
  ", ",
  " - ",
  " + ",
  "-",
  ".",
  " ",
  "  ",
  "'",
];
