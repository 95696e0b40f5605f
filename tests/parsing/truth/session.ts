/**
 * One session on the real server that runs a text as it is, in either protocol, keeps no rows, and tells what came
 * back: an error, the form of the answer, and whether a mark that stands in the server's files was in it.
 */
import pg from "pg";

export interface Answer {
  readonly error: { readonly code: string; readonly message: string } | undefined;
  /** Results with rows, also empty ones. */
  readonly rowSets: number;
  readonly copy: "none" | "in" | "out";
  readonly sawMark: boolean;
  /** As ReadyForQuery says: I idle, T in a transaction, E in a failed one; "" when the session is lost. */
  readonly transaction: string;
}

interface Connection {
  query(text: string): void;
  parse(message: { readonly text: string }): void;
  bind(message: { readonly values: readonly (string | null)[] }): void;
  describe(message: { readonly type: "P" }): void;
  execute(message: object): void;
  sync(): void;
  endCopyFrom(): void;
  on(event: "readyForQuery", listener: (message: { readonly status: string }) => void): void;
}

/** What pg calls while a query is under way; the names are its own. */
class Running {
  readonly #text: string;
  readonly #values: readonly (string | null)[] | undefined;
  readonly #mark: string;
  error: Answer["error"];
  rowSets = 0;
  copy: Answer["copy"] = "none";
  sawMark = false;

  constructor(text: string, values: readonly (string | null)[] | undefined, mark: string) {
    this.#text = text;
    this.#values = values;
    this.#mark = mark;
  }

  submit(connection: Connection): void {
    if (this.#values === undefined) {
      connection.query(this.#text);
      return;
    }
    connection.parse({ text: this.#text });
    connection.bind({ values: this.#values });
    connection.describe({ type: "P" });
    connection.execute({});
    connection.sync();
  }

  handleRowDescription(): void {
    this.rowSets++;
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    if (!this.sawMark) this.sawMark = fields.some((field) => field?.includes(this.#mark) === true);
  }

  /** No rows are sent: the copy succeeds with none. */
  handleCopyInResponse(connection: Connection): void {
    this.copy = "in";
    connection.endCopyFrom();
  }

  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    this.copy = "out";
    if (chunk.includes(this.#mark)) this.sawMark = true;
  }

  handleError(error: { readonly code?: string; readonly message: string }): void {
    this.error ??= { code: error.code ?? "", message: error.message };
  }

  handleCommandComplete(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleReadyForQuery(): void {}
}

export interface SessionOptions {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** What a file of the server holds. */
  readonly mark: string;
  readonly name: string;
  readonly searchPath: string;
}

/** A statement that takes longer is cancelled and counts as failed. */
const STATEMENT_TIMEOUT_MS = 2_000;

export class Session {
  readonly #client: pg.Client;
  readonly #mark: string;
  #ready: (transaction: string) => void = () => undefined;
  pid = 0;
  isLost = false;
  /** Notifications that came. */
  notified = 0;

  private constructor({ host, port, database, mark, name, searchPath }: SessionOptions) {
    const wait = `${STATEMENT_TIMEOUT_MS}`;
    const options = `-c statement_timeout=${wait} -c lock_timeout=${wait} -c search_path=${searchPath}`;
    this.#client = new pg.Client({ host, port, database, user: "postgres", application_name: name, options });
    this.#mark = mark;
    for (const event of ["error", "end"] as const) {
      this.#client.on(event, () => {
        this.isLost = true;
        this.#ready("");
      });
    }
    this.#client.on("notification", () => {
      this.notified++;
    });
  }

  static async open(options: SessionOptions): Promise<Session> {
    const session = new Session(options);
    const { connection } = session.#client as unknown as { readonly connection: Connection };
    connection.on("readyForQuery", ({ status }) => session.#ready(status));
    await session.#client.connect();
    session.pid = Number((await session.rows("SELECT pg_catalog.pg_backend_pid()"))[0]?.[0]);
    return session;
  }

  /** Never throws: an error of the server is an answer. */
  async run(text: string, values?: readonly (string | null)[]): Promise<Answer> {
    const running = new Running(text, values, this.#mark);
    const transaction = this.isLost
      ? ""
      : await new Promise<string>((resolve) => {
          this.#ready = resolve;
          this.#client.query(running as unknown as pg.Submittable);
        });
    const { error, rowSets, copy, sawMark } = running;
    return { error, rowSets, copy, sawMark, transaction };
  }

  /** Rows of a query of our own, every value as text. Throws. */
  async rows(
    text: string,
    { values = [], prepared }: { readonly values?: readonly string[]; readonly prepared?: string } = {},
  ): Promise<readonly (readonly string[])[]> {
    const types = { getTypeParser: () => (value: string) => value };
    const query = { text, values, rowMode: "array", types, name: prepared } as unknown as pg.QueryArrayConfig;
    const { rows } = await this.#client.query(query);
    return rows as unknown as string[][];
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }
}
