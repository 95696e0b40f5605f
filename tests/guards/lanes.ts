/** A few at once: the machine has few cores, and each of these mostly waits for a server. */

const AT_ONCE = 3;

/** Answers in the order of `items`. */
export async function inLanes<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const answers: R[] = [];
  let next = 0;
  const lane = async () => {
    for (let at = next++; at < items.length; at = next++) answers[at] = await work(items[at] as T);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return answers;
}
