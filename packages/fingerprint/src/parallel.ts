const parallelReads = 16;

/** Runs `work` for every item, at most 16 at once, and gives back the results in the items' order. */
export async function mapInParallel<In, Out>(items: readonly In[], work: (item: In) => Promise<Out>): Promise<Out[]> {
  const results: Out[] = [];
  // one iterator for all workers: each takes the next item that nobody has
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) {
      results[index] = await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallelReads, items.length) }, worker));
  return results;
}
