/** Registered backends. A password comes in and has no place in any answer. */
import { ROLES } from "../../../model/role.ts";
import type { ConnectionListing, ConnectionTest, NewConnection } from "../../ports.ts";
import { ADMINS } from "../callers.ts";
import { json, type Route } from "../route.ts";
import { BOOLEAN, choice, list, map, named, optional, record, STRING, text } from "../schema.ts";
import { NAME, NOTHING, TEXT } from "../shapes.ts";

const SECRET = text({ minLength: 1, maxLength: 65_536 });
const MODE = choice("disable", "require", "verify-full");

interface Added extends Omit<NewConnection, "password" | "tls" | "labels"> {
  readonly password?: string;
  readonly tls?: NewConnection["tls"];
  readonly labels?: NewConnection["labels"];
}

const ADDED = record<Added>({
  name: NAME,
  protocol: NAME,
  addresses: list(TEXT, { minItems: 1, maxItems: 64 }),
  user: optional(TEXT),
  password: optional(SECRET),
  tls: optional(
    record<NewConnection["tls"]>({
      mode: optional(MODE),
      name: optional(TEXT),
      ca: optional(text({ maxLength: 524_288 })),
    }),
  ),
  labels: optional(map(text({ maxLength: 255 }), { maxProperties: 64 })),
});

const CONNECTION = named<ConnectionListing>("Connection", {
  name: STRING,
  protocol: STRING,
  addresses: list(STRING),
  labels: map(STRING),
  tls: MODE,
  source: choice("settings", "vault"),
  user: optional(STRING),
  credential: STRING,
});

export const CONNECTION_ROUTES: readonly Route[] = [
  json({
    method: "GET",
    path: "/v1/connections",
    summary: "Registered backends, without their secrets",
    roles: ROLES,
    gives: list(CONNECTION),
    answer: (_, { connections }) => connections.list(),
  }),
  json({
    method: "POST",
    path: "/v1/connections",
    summary: "Register one; its password is sealed in the vault",
    roles: ADMINS,
    body: ADDED,
    gives: CONNECTION,
    answer({ body: { password, tls = {}, labels = {}, ...rest }, caller }, { connections }) {
      const secret = password === undefined ? {} : { password: Buffer.from(password) };
      return connections.add({ ...rest, ...secret, tls, labels }, caller);
    },
  }),
  json({
    method: "POST",
    path: "/v1/connections/:name/rotate",
    summary: "Replace its sealed password",
    roles: ADMINS,
    body: record<{ password: string }>({ password: SECRET }),
    gives: NOTHING,
    async answer({ path, body, caller }, { connections }) {
      await connections.rotate(path.name, Buffer.from(body.password), caller);
      return {};
    },
  }),
  json({
    method: "POST",
    path: "/v1/connections/:name/test",
    summary: "Dial, verify and log in",
    roles: ADMINS,
    gives: record<ConnectionTest>({
      ok: BOOLEAN,
      steps: list(record<ConnectionTest["steps"][number]>({ name: STRING, ok: BOOLEAN, detail: STRING })),
    }),
    answer: ({ path }, { connections }) => connections.test(path.name),
  }),
  json({
    method: "DELETE",
    path: "/v1/connections/:name",
    summary: "Forget it",
    roles: ADMINS,
    gives: NOTHING,
    async answer({ path, caller }, { connections }) {
      await connections.remove(path.name, caller);
      return {};
    },
  }),
];
