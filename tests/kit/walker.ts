/** A browser without a screen: follows redirects, keeps cookies, fills in the one form of a page. */
import { request } from "node:https";

interface Page {
  readonly url: string;
  readonly html: string;
}

const STEPS_MAX = 20;

export class Walker {
  readonly #ca: string;
  readonly #cookies = new Map<string, string>();

  constructor(ca: string) {
    this.#ca = ca;
  }

  /**
   * Signs in as `sub` and agrees to everything, also to a device's code. Returns where the issuer sends the browser in
   * the end, or the last page.
   */
  async signIn(url: string, sub: string): Promise<string> {
    return this.#through(await this.#go("GET", url), { login: sub, password: "whatever" });
  }

  /** Fills in forms until there is no other, or the issuer sends the browser to somebody else. */
  async #through(first: Page, fields: Readonly<Record<string, string>>): Promise<string> {
    let page = first;
    for (let step = 0; step < STEPS_MAX; step += 1) {
      if (!page.url.startsWith("https:")) return page.url;
      const form = /<form[^>]*action="([^"]+)"[^>]*>([\s\S]*?)<\/form>/.exec(page.html);
      if (form === null) return page.html;
      const hidden = [...(form[2] ?? "").matchAll(/<input([^>]*)>/g)].flatMap(([, input = ""]) => {
        const name = /name="([^"]*)"/.exec(input)?.[1];
        const value = /value="([^"]*)"/.exec(input)?.[1] ?? "";
        return name === undefined ? [] : [[name, fields[name] ?? value] as [string, string]];
      });
      const body = new URLSearchParams(hidden).toString();
      page = await this.#go("POST", new URL(decoded(form[1] ?? ""), page.url).href, body);
    }
    throw new Error(`There is no end to the pages of ${first.url}`);
  }

  async #go(method: string, url: string, body = ""): Promise<Page> {
    if (!url.startsWith("https:")) return { url, html: "" };
    const { status, location, html } = await this.#ask(method, url, body);
    if (status >= 300 && status < 400) return this.#go("GET", new URL(location, url).href);
    if (status >= 400 && !html.includes("<form")) throw new Error(`${url} answered ${status}: ${html.slice(0, 2_000)}`);
    return { url, html };
  }

  #ask(method: string, url: string, body: string) {
    const { host } = new URL(url);
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const form = method === "POST" ? { "content-type": "application/x-www-form-urlencoded" } : {};
    const headers = { host, cookie, ...form, "content-length": Buffer.byteLength(body) };
    return new Promise<{ readonly status: number; readonly location: string; readonly html: string }>(
      (resolve, reject) => {
        const asked = request(url, { method, agent: false, ca: this.#ca, headers }, async (answer) => {
          for (const line of answer.headers["set-cookie"] ?? []) this.#keep(line);
          let html = "";
          for await (const part of answer.setEncoding("utf8")) html += part;
          resolve({ status: answer.statusCode ?? 0, location: answer.headers.location ?? "", html });
        });
        asked.once("error", reject);
        asked.end(body);
      },
    );
  }

  #keep(line: string): void {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (value === "") this.#cookies.delete(name);
    else this.#cookies.set(name, value);
  }
}

function decoded(text: string): string {
  return text.replaceAll("&amp;", "&");
}
