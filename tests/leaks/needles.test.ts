/** The suite is worth what its search is worth: every form is recognised, and plain answers are not taken for one. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { piecesIn } from "../system/pieces.ts";
import { canaries } from "./canaries.ts";
import { finder } from "./needles.ts";

const SEARCH = finder(canaries("a"));
const found = (bytes: string | Buffer) => SEARCH.inBytes(Buffer.from(bytes as string)).length > 0;
const across = (...values: readonly string[]) =>
  SEARCH.acrossValues(values.map((value) => Buffer.from(value))).length > 0;
const SECRET = "856-45-6789";
const bytes = [...Buffer.from(SECRET)];

describe("a value is recognised", () => {
  const forms: readonly (readonly [name: string, form: string | Buffer])[] = [
    ["as it is", `x${SECRET}y`],
    ["by four of its digits", "…6789…"],
    ["without its hyphens", "856456789"],
    ["over a hyphen", "56-45"],
    ["backwards", [...SECRET].reverse().join("")],
    ["in hex", Buffer.from(SECRET).toString("hex")],
    ["in hex of capitals", Buffer.from(SECRET).toString("hex").toUpperCase()],
    ["in base64", Buffer.from(SECRET).toString("base64")],
    ["in base64 behind one byte", Buffer.from(`x${SECRET}`).toString("base64")],
    ["in base64 behind two bytes", Buffer.from(`xy${SECRET}`).toString("base64")],
    ["in escapes of JSON", bytes.map((byte) => `\\u00${byte.toString(16)}`).join("")],
    ["in octal escapes", bytes.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")],
    ["in character references", bytes.map((byte) => `&#${byte};`).join("")],
    ["in percent escapes", bytes.map((byte) => `%${byte.toString(16)}`).join("")],
    ["in UTF-16", Buffer.from(SECRET, "utf16le")],
    ["as int4", Buffer.from((1424692590).toString(16).padStart(8, "0"), "hex")],
    ["as a number's bits", (1424692590).toString(2).padStart(32, "0")],
    ["as a number's hex", (1424692590).toString(16).padStart(8, "0")],
    ["as a day", "37-04-29"],
    ["as a year", "in 1937"],
    ["as a uuid in capitals", "3C7F9E5A-2D84"],
    ["as an enum's label, in part", "Millionquokka".toLowerCase()],
    ["as an address", "83.217.141.0"],
  ];
  for (const [name, form] of forms) test(name, () => assert.ok(found(form)));

  test("in crumbs over many values", () => assert.ok(across(...SECRET)));
  test("in crumbs within a value", () => assert.ok(across("8 5 6 4 5 6 7 8 9")));
  test("as codes of characters", () => assert.ok(across(...bytes.map(String))));
  test("as codes of characters in a list", () => assert.ok(across(`[ ${bytes.join(" ")} ]`)));
  test("wherever the system tests recognise one", () => {
    const forms = [SECRET, "219099", "3635", "MTExMTEx", "\\u0031\\u0031\\u0031\\u0031", [..."1111"].join("\x00")];
    for (const form of forms) {
      const known = piecesIn(Buffer.from(form), [SECRET, "219-09-9999", "4111111111111111"]).length > 0;
      assert.ok(!known || found(form), form);
    }
  });
});

describe("what is no value is not taken for one", () => {
  const plain: readonly (readonly [name: string, form: string])[] = [
    ["names and amounts", "Ada Lovelace ada@example.com 1 2 3 10 990 1000 order 100"],
    ["a refusal", "42501 pii is labelled REDACTED Sallyport"],
    ["three digits", "219 099 411"],
    ["times", "2025-11-28 12:59:07.481"],
  ];
  for (const [name, form] of plain) test(name, () => assert.ok(!found(form), `${SEARCH.inBytes(Buffer.from(form))}`));

  test("rows of ones", () => assert.ok(!across(..."11111111111111111111")));
  test("rows that count", () => assert.ok(!across(...Array.from({ length: 120 }, (_, at) => `${at}`))));
});
