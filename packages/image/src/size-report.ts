import { z } from 'zod';

const reportSchema = z.object({
  files: z.int(),
  bytes: z.int(),
  squashfs: z.int(),
  unowned: z.int(),
  packages: z.record(z.string(), z.int()),
  layers: z.array(z.object({ diffId: z.string(), bytes: z.int(), title: z.string() })),
  largest: z.array(z.object({ path: z.string(), bytes: z.int() })),
});

/** What takes how much room in an image; bytes before compression, but for `squashfs`. */
export type SizeReport = z.output<typeof reportSchema>;

/** Reads `report.json` of an image. */
export function parseSizeReport(text: string): SizeReport {
  return reportSchema.parse(JSON.parse(text));
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes as people read them: `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let power = 0;
  // what would be rounded to 1024.0 is one of the next unit
  for (; power < units.length - 1 && Math.abs(value) >= (power === 0 ? 1024 : 1023.95); power++) {
    value /= 1024;
  }
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] ?? ''}`;
}

function change(now: number, before: number | undefined): string {
  if (before === undefined) {
    return '  (new)';
  }
  return now === before ? '' : `  (${now > before ? '+' : '-'}${formatBytes(Math.abs(now - before))})`;
}

function row(size: string, name: string, note = ''): string {
  return `  ${size.padStart(10)}  ${name}${note}`;
}

type Sizes = readonly (readonly [name: string, bytes: number])[];

/** Sizes by name, and which of them are gone since the report before. */
function rows(sizes: Sizes, before: Sizes | undefined): string[] {
  const old = new Map(before);
  const names = new Set(sizes.map(([name]) => name));
  return [
    ...sizes.map(([name, size]) => row(formatBytes(size), name, before && change(size, old.get(name)))),
    ...(before ?? []).filter(([name]) => !names.has(name)).map(([name]) => row('-', name, '  (gone)')),
  ];
}

function layersOf({ layers }: SizeReport): Sizes {
  return layers.map(({ title, bytes }) => [title, bytes]);
}

function packagesOf({ packages, unowned }: SizeReport): Sizes {
  const sorted = Object.entries(packages).sort(([, left], [, right]) => right - left);
  return [...sorted, ['in no package', unowned]];
}

/** A report as lines, against the one of the image before it, if there was one. */
export function formatSizeReport(report: SizeReport, before?: SizeReport): string[] {
  // a file that is not among the largest any more may still be there: what is gone cannot be said of them
  const large = new Map(before?.largest.map(({ path, bytes }) => [path, bytes]));
  const files = report.largest.slice(0, 10).map(({ path, bytes }) => {
    const old = large.get(path);
    return row(formatBytes(bytes), path, old === undefined ? '' : change(bytes, old));
  });
  return [
    `${report.files} files, ${formatBytes(report.bytes)}; squashfs ${formatBytes(report.squashfs)}${
      before === undefined ? '' : change(report.squashfs, before.squashfs)
    }`,
    'by layer (as tar):',
    ...rows(layersOf(report), before && layersOf(before)),
    'by package:',
    ...rows(packagesOf(report), before && packagesOf(before)),
    'largest files:',
    ...files,
  ];
}
