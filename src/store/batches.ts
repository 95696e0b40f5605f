/**
 * Rows that reach the database later, many at a time: a bounded queue in front of one writer. Never
 * blocks its caller; what does not fit, or cannot be written, is counted.
 */

export interface Batches<Row> {
  /** False: the queue was full and the row is counted as lost. */
  add(row: Row): boolean;
  /** Rows lost since the start: queue full, or the database refused them. */
  readonly lost: number;
  readonly waiting: number;
  /** Resolves when everything added before was written or counted as lost. Never rejects. */
  flush(): Promise<void>;
}

/** A statement's values travel as one text: this many rows keep it at a few MiB. */
const ROWS_PER_BATCH = 1_000;

export function createBatches<Row>(options: {
  readonly rowsMax: number;
  /** How long a row waits for others. */
  readonly waitMs: number;
  readonly write: (rows: readonly Row[]) => Promise<void>;
  readonly failed: (error: unknown, rows: number) => void;
}): Batches<Row> {
  let queue: Row[] = [];
  let inFlight = 0;
  let lost = 0;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      const rows = queue.length <= ROWS_PER_BATCH ? queue : queue.slice(0, ROWS_PER_BATCH);
      queue = queue.length <= ROWS_PER_BATCH ? [] : queue.slice(ROWS_PER_BATCH);
      inFlight = rows.length;
      try {
        await options.write(rows);
      } catch (error) {
        lost += rows.length;
        options.failed(error, rows.length);
      }
      inFlight = 0;
    }
  }

  function start(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    running ??= drain().finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    add(row) {
      if (queue.length + inFlight >= options.rowsMax) {
        lost += 1;
        return false;
      }
      queue.push(row);
      if (queue.length === ROWS_PER_BATCH) {
        clearTimeout(timer); // no others are waited for any more
        timer = undefined;
      }
      // A timer that keeps no process alive: whoever stops it in order calls flush.
      timer ??= setTimeout(start, queue.length < ROWS_PER_BATCH ? options.waitMs : 0).unref();
      return true;
    },
    get lost() {
      return lost;
    },
    get waiting() {
      return queue.length + inFlight;
    },
    async flush() {
      while (queue.length > 0 || running !== undefined) await start();
    },
  };
}
