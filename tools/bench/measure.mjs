// What the benchmarks share.
import { performance } from 'node:perf_hooks';

export const median = (values) => [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)];

/** Times two things in turn, several times, and prints the ratio of their medians. */
export async function compare(title, runs, first, second) {
  const times = { first: [], second: [] };
  for (let run = 0; run < runs; run++) {
    for (const [name, work] of Object.entries({ first, second })) {
      const start = performance.now();
      await work(run);
      times[name].push((performance.now() - start) / 1000);
    }
  }
  const [ours, theirs] = [median(times.first), median(times.second)];
  console.log(
    `${title}: ${ours.toFixed(2)} s against ${theirs.toFixed(2)} s, ratio ${(ours / theirs).toFixed(2)} (${runs} runs)`,
  );
  return ours / theirs;
}
