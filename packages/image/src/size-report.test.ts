import { formatBytes, formatSizeReport, parseSizeReport, type SizeReport } from './index.js';

const kibibytes = (count: number): number => count * 1024;

const first: SizeReport = {
  files: 3,
  bytes: kibibytes(20),
  squashfs: kibibytes(8),
  unowned: 100,
  packages: { 'app-misc/jq-1.6': kibibytes(5), 'dev-lang/lua-5.4': kibibytes(9), 'app-misc/old-1': 0 },
  layers: [
    { diffId: 'sha256:1', bytes: kibibytes(10), title: 'base' },
    { diffId: 'sha256:2', bytes: kibibytes(30), title: 'tools' },
  ],
  largest: [
    { path: '/usr/bin/lua', bytes: kibibytes(9) },
    { path: '/usr/bin/jq', bytes: kibibytes(5) },
  ],
};

describe('a size report', () => {
  it('shows sizes by layer and by package, and the largest files', () => {
    expect(formatSizeReport(parseSizeReport(JSON.stringify(first)))).toEqual([
      '3 files, 20.0 KiB; squashfs 8.0 KiB',
      'by layer (as tar):',
      '    10.0 KiB  base',
      '    30.0 KiB  tools',
      'by package:',
      '     9.0 KiB  dev-lang/lua-5.4',
      '     5.0 KiB  app-misc/jq-1.6',
      '         0 B  app-misc/old-1',
      '       100 B  in no package',
      'largest files:',
      '     9.0 KiB  /usr/bin/lua',
      '     5.0 KiB  /usr/bin/jq',
    ]);
  });

  it('shows what changed since the image before, layers by their names', () => {
    const now: SizeReport = {
      ...first,
      squashfs: kibibytes(6),
      packages: { 'app-misc/jq-1.6': kibibytes(5), 'dev-lang/lua-5.4': kibibytes(9) + 10, 'app-misc/new-1': 1 },
      layers: [
        { diffId: 'sha256:1', bytes: kibibytes(10), title: 'base' },
        { diffId: 'sha256:3', bytes: 1, title: 'between' },
        { diffId: 'sha256:4', bytes: kibibytes(20), title: 'tools' },
      ],
      largest: [
        { path: '/usr/bin/lua', bytes: kibibytes(9) + 10 },
        { path: '/usr/bin/more', bytes: 1 },
      ],
    };
    expect(formatSizeReport(now, first)).toEqual([
      '3 files, 20.0 KiB; squashfs 6.0 KiB  (-2.0 KiB)',
      'by layer (as tar):',
      '    10.0 KiB  base',
      '         1 B  between  (new)',
      '    20.0 KiB  tools  (-10.0 KiB)',
      'by package:',
      '     9.0 KiB  dev-lang/lua-5.4  (+10 B)',
      '     5.0 KiB  app-misc/jq-1.6',
      '         1 B  app-misc/new-1  (new)',
      '       100 B  in no package',
      '           -  app-misc/old-1  (gone)',
      'largest files:',
      '     9.0 KiB  /usr/bin/lua  (+10 B)',
      '         1 B  /usr/bin/more',
    ]);
  });

  it('writes bytes in the unit that people read them in', () => {
    const written = [0, 1023, 1024, 1536, 1024 ** 2 - 1, 1024 ** 2, 3.25 * 1024 ** 3, 5000 * 1024 ** 4, -2048];
    expect(written.map(formatBytes)).toEqual([
      ...['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '1.0 MiB', '1.0 MiB', '3.3 GiB', '5000.0 TiB', '-2.0 KiB'],
    ]);
  });
});
