/** Work that has a time. */

/**
 * Runs `work` with a signal that aborts after `waitMs`. Unlike AbortSignal.timeout, whose timer stays to its end, so that a daemon
 * with many short logins would have thousands, this one leaves nothing behind.
 */
export async function within<Result>(waitMs: number, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), waitMs).unref();
  try {
    return await work(deadline.signal);
  } finally {
    clearTimeout(timer);
  }
}
