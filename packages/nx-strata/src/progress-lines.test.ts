import { formatElapsed, ProgressLines } from './progress-lines.js';

describe('progress', () => {
  const pace = { least: 1000, most: 5000 };
  const compile = (subject: string, done: number): Parameters<ProgressLines['update']>[1] => ({
    phase: 'compile',
    subject,
    done,
    total: 7,
    unit: 'packages',
  });

  it('is said at once, then at a bounded rate, and the last of what changed meanwhile', () => {
    const lines = new ProgressLines(pace);
    lines.begin('tools:merge', 0);
    expect(lines.update('tools:merge', compile('app-misc/jq-1.6', 0), 10)).toBe(
      'tools:merge  0/7 packages  compile app-misc/jq-1.6  0 s',
    );
    expect(lines.update('tools:merge', compile('dev-lang/lua-5.4.4', 1), 20)).toBeUndefined();
    expect(lines.update('tools:merge', compile('app-arch/lz4-1.9.4', 2), 30)).toBeUndefined();
    expect(lines.tick(900)).toEqual([]);
    expect(lines.tick(1010)).toEqual(['tools:merge  2/7 packages  compile app-arch/lz4-1.9.4  1 s']);
  });

  it('is said again with the time where nothing changes, until it ends', () => {
    const lines = new ProgressLines(pace);
    lines.begin('kernel:build', 0);
    expect(lines.update('kernel:build', { phase: 'compile' }, 0)).toBe('kernel:build  compile  0 s');
    expect(lines.tick(4999)).toEqual([]);
    expect(lines.tick(65_000)).toEqual(['kernel:build  compile  1 min 5 s']);
    lines.end('kernel:build');
    expect(lines.tick(100_000)).toEqual([]);
  });

  it('counts bytes of how many', () => {
    const lines = new ProgressLines(pace);
    const progress = {
      phase: 'fetch',
      subject: 'xz-5.4.1.tar.xz',
      done: 1 << 20,
      total: 3 << 20,
      unit: 'bytes',
    } as const;
    expect(lines.update('tools:fetch', progress, 0)).toBe('tools:fetch  1.0 MiB/3.0 MiB  fetch xz-5.4.1.tar.xz  0 s');
  });

  it('keeps tasks apart', () => {
    const lines = new ProgressLines(pace);
    expect(lines.update('a:build', { phase: 'pack' }, 0)).toBe('a:build  pack  0 s');
    expect(lines.update('b:build', { phase: 'pack' }, 1)).toBe('b:build  pack  0 s');
  });

  it('tells times as people do', () => {
    expect([7_400, 200_000, 3_900_000].map(formatElapsed)).toEqual(['7 s', '3 min 20 s', '1 h 5 min']);
  });
});
