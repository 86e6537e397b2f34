import { Rig } from './testing/rig.js';

describe('the store of a user', () => {
  let rig: Rig;

  beforeAll(async () => {
    rig = await Rig.make();
  });

  afterAll(async () => {
    await rig.dispose();
  });

  it('is cleared by an ordinary user, with folders that only mapped ids may look into', async () => {
    const script = `
      cd /strata/root
      mkdir -p a/b c
      echo x > a/b/file
      chown -R 100:100 a
      chmod -R go= a`;
    const { owners, left, error } = await rig.outcome(script, true, { subordinateIds: 65535, clears: true });
    expect(error).toBeUndefined();
    expect(owners).toEqual([200_099, 54_321]);
    expect(left).toEqual([]);
  });
});
