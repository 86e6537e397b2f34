import { digestOf } from '@strata/fingerprint';
import { checksums, transferFiles, versionedName } from './index.js';

describe('what an update server needs', () => {
  const update = {
    name: 'jq',
    type: 'sysext',
    architecture: 'x86-64',
    url: 'https://example.org/extensions/',
    verify: true,
  } as const;

  it('has names with the version and the architecture, whatever suffixes the files have', () => {
    expect(versionedName('jq.raw', 'jq', '1.7.1', 'x86-64')).toBe('jq-1.7.1-x86-64.raw');
    expect(versionedName('jq.roothash.p7s', 'jq', '1.7.1', 'x86-64')).toBe('jq-1.7.1-x86-64.roothash.p7s');
  });

  it('has checksums as sha256sum(1) writes them', () => {
    const [one, two] = ['a', 'b'].map((text) => ({ mediaType: 'text/plain', digest: digestOf(text), size: 1 }));
    expect(checksums({ 'b.raw': two!, 'a.raw': one! })).toBe(
      'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  a.raw\n' +
        '3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d  b.raw\n',
    );
  });

  it('has a transfer for each file, which keeps its name where systemd looks for it', () => {
    const files = transferFiles(update, ['jq.raw', 'jq.verity']);
    expect(Object.keys(files)).toEqual(['10-jq-raw.conf', '20-jq-verity.conf']);
    expect(files['20-jq-verity.conf']?.split('\n')).toEqual(
      expect.arrayContaining([
        'Verify=yes',
        'Path=https://example.org/extensions/',
        'MatchPattern=jq-@v-x86-64.verity',
        'CurrentSymlink=/var/lib/extensions/jq.verity',
      ]),
    );
    expect(transferFiles({ ...update, type: 'confext', verify: false }, ['jq.raw'])['10-jq-raw.conf']).toMatch(
      /Verify=no\n[^]*CurrentSymlink=\/var\/lib\/confexts\/jq\.raw\n/,
    );
  });
});
