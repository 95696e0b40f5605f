/**
 * A SAML identity provider on loopback with TLS, at which humans sign in: its page for the login, and the one that posts its
 * answer. Anybody may sign in whom `people` names. Of requests it takes those of one service provider, for the place that was
 * registered for that, as providers do; its key is made at run time.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { inflateRawSync } from "node:zlib";
import { makeCertificate } from "./certificate.ts";
import { attribute, makeSamlKey, responseXml, type Said, type SamlKey, signXml } from "./saml.ts";

export const GROUPS_ATTRIBUTE = "http://schemas.xmlsoap.org/claims/Group";
export const NAME_ATTRIBUTE = "urn:oid:2.16.840.1.113730.3.1.241";
const RESPONSE_MS = 300_000;

export interface SamlPerson {
  readonly name: string;
  readonly groups: readonly string[];
  /** How long its own session lasts; absent: it does not say. */
  readonly sessionMs?: number;
}

export class SamlIdentityProvider {
  readonly entityId = "https://idp.acme.example/metadata";
  readonly key: SamlKey;
  readonly #tls: { readonly cert: Buffer; readonly key: Buffer };
  readonly #people: Readonly<Record<string, SamlPerson>>;
  readonly #registered: { readonly audience: string; readonly recipient: string };
  #server: Server | undefined;
  #port = 0;

  /** `registered`: who asks, and where answers to that go. */
  constructor(
    folder: string,
    people: Readonly<Record<string, SamlPerson>>,
    registered: { readonly audience: string; readonly recipient: string },
  ) {
    const { certificateFile, keyFile } = makeCertificate(folder, ["localhost"]);
    this.#tls = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
    this.key = makeSamlKey(folder, "idp-signing");
    this.#people = people;
    this.#registered = registered;
  }

  get url(): string {
    return `https://localhost:${this.#port}`;
  }

  async start(): Promise<void> {
    const server = createServer(this.#tls, async (request, response) => {
      const { status, html } = await this.#answer(request).catch(({ message }: Error) => ({
        status: 500,
        html: message,
      }));
      show(response, status, html);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "localhost", resolve);
    });
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  /** Base64, about one of `people`, to this request; undefined: nobody's. */
  respond(sub: string, inResponseTo: string | undefined, more: Partial<Said> = {}): string {
    const { name = "", groups = [], sessionMs } = this.#people[sub] ?? {};
    const nowMs = Date.now();
    const said = {
      ...{ id: randomBytes(16).toString("hex"), issuer: this.entityId, subject: sub, ...this.#registered },
      ...{ issuedMs: 0, beginsMs: 0, endsMs: RESPONSE_MS, confirmedUntilMs: RESPONSE_MS, status: "Success" },
      attributes: attribute(NAME_ATTRIBUTE, name) + attribute(GROUPS_ATTRIBUTE, ...groups),
      ...(inResponseTo === undefined ? {} : { inResponseTo }),
    };
    const xml = responseXml({ ...said, ...more }, nowMs);
    const ends = sessionMs === undefined ? "" : ` SessionNotOnOrAfter="${new Date(nowMs + sessionMs).toISOString()}"`;
    const whole = xml.replace("<saml:AuthnStatement", `<saml:AuthnStatement${ends}`);
    return Buffer.from(signXml(whole, "Assertion", this.key)).toString("base64");
  }

  async #answer(request: IncomingMessage): Promise<{ readonly status: number; readonly html: string }> {
    const { pathname, searchParams } = new URL(request.url ?? "", this.url);
    if (request.method === "GET" && pathname === "/sso") {
      const id = this.#requestIn(searchParams.get("SAMLRequest") ?? "");
      const hidden = { id, relayState: searchParams.get("RelayState") ?? "" };
      const fields = '<input name="login"><button name="answer" value="yes">Log in</button>';
      const no = '<button name="answer" value="no">Cancel</button>';
      return { status: 200, html: form("/login", hidden, fields + no) };
    }
    if (request.method !== "POST" || pathname !== "/login") return { status: 404, html: "nothing" };
    const posted = new URLSearchParams(await textOf(request));
    const [sub, relayState, id] = ["login", "relayState", "id"].map((name) => posted.get(name) ?? "");
    const says = posted.get("answer") === "yes" ? {} : { status: "Responder" };
    if (!Object.hasOwn(this.#people, sub ?? "")) return { status: 403, html: "Nobody is called so." };
    const answer = { SAMLResponse: this.respond(sub ?? "", id, says), RelayState: relayState ?? "" };
    return { status: 200, html: posts(this.#registered.recipient, answer) };
  }

  /** The ID of a request that was registered. */
  #requestIn(encoded: string): string {
    const xml = inflateRawSync(Buffer.from(encoded, "base64")).toString();
    const { audience, recipient } = this.#registered;
    const [issuer, place] = [
      /<saml:Issuer[^>]*>([^<]*)</.exec(xml)?.[1],
      /ConsumerServiceURL="([^"]*)"/.exec(xml)?.[1],
    ];
    if (issuer !== audience || place !== recipient) throw new Error(`not registered: ${issuer} at ${place}`);
    return / ID="([^"]+)"/.exec(xml)?.[1] ?? "";
  }
}

/** A page that posts this by itself, as SAML has it and as an attacker's site does. */
export function posts(url: string, fields: Readonly<Record<string, string>>): string {
  return `${form(url, fields, "")}<script>document.forms[0].submit()</script>`;
}

function form(action: string, hidden: Readonly<Record<string, string>>, more: string): string {
  const inputs = Object.entries(hidden).map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`);
  return `<form method="post" action="${action}">${inputs.join("")}${more}</form>`;
}

function show(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, { "content-type": "text/html; charset=utf-8" });
  response.end(`<!doctype html>${html}`);
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of request.setEncoding("utf8")) text += part;
  return text;
}
