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

/** Bytes as people read them: `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, Math.abs(bytes))) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] ?? ''}`;
}

function change(now: number, before: number | undefined): string {
  if (before === undefined) {
    return '  (new)';
  }
  return now === before ? '' : `  (${now > before ? '+' : '-'}${formatBytes(Math.abs(now - before))})`;
}

/** A report as lines, against the one of the image before it, if there was one. */
export function formatSizeReport(report: SizeReport, before?: SizeReport): string[] {
  const row = (size: number, name: string, old: number | undefined): string =>
    `  ${formatBytes(size).padStart(10)}  ${name}${before === undefined ? '' : change(size, old)}`;
  const packages = Object.entries(report.packages).sort(([, left], [, right]) => right - left);
  const gone = Object.keys(before?.packages ?? {}).filter((name) => !(name in report.packages));
  const oldFiles = new Map(before?.largest.map(({ path, bytes }) => [path, bytes]));
  return [
    `${report.files} files, ${formatBytes(report.bytes)}; squashfs ${formatBytes(report.squashfs)}${
      before === undefined ? '' : change(report.squashfs, before.squashfs)
    }`,
    'by layer (as tar):',
    ...report.layers.map(({ title, bytes }, index) => row(bytes, title, before?.layers[index]?.bytes)),
    'by package:',
    ...packages.map(([name, size]) => row(size, name, before?.packages[name])),
    ...gone.map((name) => `  ${'-'.padStart(10)}  ${name}  (gone)`),
    row(report.unowned, 'in no package', before?.unowned),
    'largest files:',
    ...report.largest.slice(0, 10).map(({ path, bytes }) => row(bytes, path, oldFiles.get(path))),
  ];
}
