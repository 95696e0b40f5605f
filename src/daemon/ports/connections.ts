/** What the API may ask about connections: list, add, rotate, remove, test. A password passes inward only. */
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import { formatAddress } from "../../config/address.ts";
import { readAddedConnection } from "../../config.ts";
import type { ConnectionListing, ConnectionPorts, ConnectionTest } from "../../control/ports.ts";
import { logIn } from "../../path/upstream.ts";
import { protocols } from "../../protocols/index.ts";
import { describeReference } from "../../vault/references.ts";
import { type PortParts, tell } from "./parts.ts";

export function connectionPorts(parts: PortParts): ConnectionPorts {
  const { vault } = parts;
  return {
    list: () => listConnections(parts),
    add: async ({ user = "", password, ...request }, caller) => {
      const settings = JSON.stringify(request);
      readAddedConnection(request, `connection ${request.name}`, protocols);
      if (password === undefined) {
        throw new UserError(
          "SECRET_EMPTY",
          `Cannot add ${request.name} without a password`,
          "Give one with --password-file or --password-stdin; connections that need none are listed in the settings",
        );
      }
      try {
        await vault.add({ name: request.name, user, settings, secret: password });
      } finally {
        password.fill(0);
      }
      try {
        await parts.reload();
      } catch (error) {
        await vault.remove(request.name); // else no later start could load it
        throw error;
      }
      tell(parts, "credential.add", `Connection ${request.name} was added`, caller);
      const added = (await listConnections(parts)).find(({ name }) => name === request.name);
      if (added === undefined) throw new Error("Cannot find the connection that was just added");
      return added;
    },
    rotate: async (name, password, caller) => {
      try {
        await vault.rotate(name, password);
      } finally {
        password.fill(0);
      }
      tell(parts, "credential.rotate", `The credential of ${name} was rotated`, caller);
    },
    remove: async (name, caller) => {
      await vault.remove(name);
      tell(parts, "credential.remove", `Connection ${name} was removed`, caller);
      await parts.reload();
    },
    test: (name) => testConnection(name, parts),
  };
}

async function listConnections({ configuration, vault }: PortParts): Promise<ConnectionListing[]> {
  const { connections, references } = configuration();
  const sealed = new Map((await vault.list()).map((entry) => [entry.name, entry]));
  return connections.map((connection) => {
    const reference = references.get(connection.name);
    const entry = sealed.get(connection.name);
    const user = reference?.user ?? entry?.user;
    const secret = reference?.password === undefined ? "none" : describeReference(reference.password);
    return {
      name: connection.name,
      protocol: connection.protocol,
      addresses: connection.addresses.map(formatAddress),
      labels: connection.labels,
      tls: connection.tls.mode,
      source: entry === undefined ? "settings" : "vault",
      ...(user === undefined || user === "" ? {} : { user }),
      credential: entry === undefined ? secret : "sealed",
    };
  });
}

/** Dials the first address that stands for one host, and logs in as a session would. */
async function testConnection(name: string, parts: PortParts): Promise<ConnectionTest> {
  const connection = parts.configuration().connections.find((other) => other.name === name);
  const protocol = protocols.find((other) => other.name === connection?.protocol);
  if (connection === undefined || protocol === undefined) {
    throw new UserError("CONNECTION_UNKNOWN", `Cannot find connection ${name}`, "See: sallyport connections");
  }
  const address = connection.addresses.find(({ kind }) => kind !== "any");
  const host = address?.kind === "name" ? address.host : address?.kind === "network" ? address.address : "";
  try {
    const request = protocol.lookupLogin?.(undefined);
    const login = await logIn(
      { connection, protocol, address: host, port: address?.port ?? 0 },
      request,
      parts.credentialOf,
    );
    login.wire.destroy();
    return { ok: true, steps: [{ name: "login", ok: true, detail: `${host} port ${address?.port}` }] };
  } catch (error) {
    const code = codeOf(error);
    const step = code === "UPSTREAM_UNREACHABLE" ? "dial" : code.startsWith("UPSTREAM_TLS") ? "tls" : "login";
    const cause = error instanceof Error && error.cause instanceof UserError ? error.cause : undefined;
    const detail = cause === undefined ? messageOf(error) : `${cause.message}. ${cause.remedy}`;
    return { ok: false, steps: [{ name: step, ok: false, detail: `${code}: ${detail}` }] };
  }
}
