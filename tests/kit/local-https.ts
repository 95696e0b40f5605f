/** An HTTPS server on loopback, with an authority of its own, that comes back at the same address. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { makeCertificate } from "./certificate.ts";

export class LocalHttps {
  readonly caFile: string;
  readonly #tls: { readonly cert: Buffer; readonly key: Buffer };
  #server: Server | undefined;
  #port = 0;

  constructor(folder: string) {
    const { caFile, certificateFile, keyFile } = makeCertificate(folder, ["localhost"]);
    this.caFile = caFile;
    this.#tls = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
  }

  get url(): string {
    return `https://localhost:${this.#port}`;
  }

  get ca(): string {
    return readFileSync(this.caFile, "utf8");
  }

  /** At the same address when it was stopped before. Answers nothing by itself. */
  protected async listen(): Promise<Server> {
    const server = createServer(this.#tls);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "localhost", resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    return server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }
}
