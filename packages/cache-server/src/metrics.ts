import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Victim } from './eviction.js';
import type { Inventory } from './inventory.js';

/** What is counted, for Prometheus. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = new Histogram({
    name: 'strata_cache_request_seconds',
    help: 'How long requests took, by what they were for',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600],
    registers: [this.#registry],
  });
  readonly #bytes = new Counter({
    name: 'strata_cache_bytes_total',
    help: 'Bytes of bodies that were received and sent',
    labelNames: ['direction'],
    registers: [this.#registry],
  });
  readonly #lookups = new Counter({
    name: 'strata_cache_lookups_total',
    help: 'Lookups, by kind and whether there was something',
    labelNames: ['kind', 'result'],
    registers: [this.#registry],
  });
  readonly #evicted = new Counter({
    name: 'strata_cache_evicted_total',
    help: 'What had to go since there was no room',
    labelNames: ['type'],
    registers: [this.#registry],
  });
  readonly #evictedBytes = new Counter({
    name: 'strata_cache_evicted_bytes_total',
    help: 'Bytes of what had to go',
    registers: [this.#registry],
  });
  readonly #damaged = new Counter({
    name: 'strata_cache_damaged_total',
    help: 'Files that were not what they had been: look at the disk',
    registers: [this.#registry],
  });

  constructor(size: number) {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge('strata_cache_size_bytes', 'The most that may be kept', () => size);
  }

  /** Has what is kept told too. */
  watch(inventory: Inventory): void {
    this.#gauge('strata_cache_used_bytes', 'What is kept', () => inventory.bytes);
    this.#gauge('strata_cache_artifacts', 'Artifacts that are kept', () => inventory.counts.artifacts);
    this.#gauge('strata_cache_entries', 'Entries that are kept', () => inventory.counts.entries);
    this.#gauge('strata_cache_partial_uploads', 'Beginnings of uploads', () => inventory.counts.partials);
  }

  #gauge(name: string, help: string, value: () => number): void {
    const registers = [this.#registry];
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  }

  request(labels: { readonly method: string; readonly route: string; readonly status: number }, seconds: number): void {
    this.#requests.observe(labels, seconds);
  }

  moved(direction: 'in' | 'out', bytes: number): void {
    this.#bytes.inc({ direction }, bytes);
  }

  lookup(kind: string, hit: boolean): void {
    this.#lookups.inc({ kind, result: hit ? 'hit' : 'miss' });
  }

  evicted(victims: readonly Victim[]): void {
    for (const { type, size } of victims) {
      this.#evicted.inc({ type });
      this.#evictedBytes.inc(size);
    }
  }

  damaged(): void {
    this.#damaged.inc();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
