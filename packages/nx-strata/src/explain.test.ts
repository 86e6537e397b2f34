import { storeRoot } from '@strata/store';
import { explain } from './explain.js';

describe('a full file system', () => {
  it('is named, where it is not the store’s', () => {
    const cause = Object.assign(new Error('copyfile'), {
      code: 'ENOSPC',
      path: '/store/blob',
      dest: '/work/dist/root',
    });
    expect(explain(new Error('exporting', { cause }))).toEqual([
      'error: the file system of /work/dist is full',
      'hint: free some space there',
    ]);
  });

  it('is the store’s, where nothing says which one it is', () => {
    const [first, second] = explain(Object.assign(new Error('write'), { code: 'ENOSPC' }));
    expect(first).toBe(`error: the file system of ${storeRoot(process.env)} is full`);
    expect(second).toContain('`strata store clear`');
  });
});
