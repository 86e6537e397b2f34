import { UserError } from '@strata/definitions';
import { Access, newToken } from './access.js';

const sha256 = 'a'.repeat(64);
const token = `{ name: x, sha256: ${sha256}, scope: main }`;

describe('a tokens file', () => {
  it.each([
    ['no YAML', 'a: [', /missing|flow|expected/i],
    ['nothing', '', 'expected'],
    ['no scopes', 'tokens: []', 'scopes'],
    ['an unknown word', 'scopes: { main: { trust: true } }\ntokens: []', 'trust'],
    ['a scope that would be a path', 'scopes: { ../x: {} }\ntokens: []', 'scope'],
    [
      'a token where its hash belongs',
      'scopes: { main: }\ntokens: [{ name: x, sha256: strata_x, scope: main }]',
      'SHA-256',
    ],
    ['a token for no scope', `scopes: {}\ntokens: [${token}]`, 'main, which is no scope'],
    ['a scope that reads none', 'scopes: { main: { reads: [x] } }\ntokens: []', 'reads x, which is no scope'],
    [
      'a trusted scope that reads what is not trusted',
      'scopes: { main: { trusted: true, reads: [pulls] }, pulls: { reads: [main] } }\ntokens: []',
      'reads pulls, which is not trusted',
    ],
    [
      'two untrusted scopes of which one reads the other',
      'scopes: { a: { reads: [b] }, b: {} }\ntokens: []',
      'reads b, which is not trusted',
    ],
    [
      'a time that is none',
      `scopes: { main: }\ntokens: [{ name: x, sha256: ${sha256}, scope: main, expires: soon }]`,
      'time',
    ],
  ])('with %s is refused in one line', (_, text, why) => {
    const failing = (): unknown => Access.parse(text, 'tokens.yaml');
    expect(failing).toThrow(UserError);
    expect(failing).toThrow(why);
    expect(failing).toThrow(/^tokens.yaml: .+$/);
  });

  it('says who a token is', () => {
    const [one, two] = [newToken(), newToken()];
    const access = Access.parse(
      `scopes: { main: { trusted: true }, pulls: { reads: [main] } }
tokens:
  - { name: one, sha256: ${one.sha256}, scope: main, write: true }
  - { name: two, sha256: ${two.sha256}, scope: pulls, expires: 2999-01-01T00:00:00Z }`,
      'tokens.yaml',
    );
    expect(access.clientOf(one.token)).toMatchObject({ token: 'one', mayWrite: true, scope: { reads: ['main'] } });
    expect(access.clientOf(two.token)).toMatchObject({ mayWrite: false, scope: { reads: ['main', 'pulls'] } });
    expect([access.clientOf(`${one.token} `), access.clientOf(''), access.clientOf(one.sha256)]).toEqual(
      Array(3).fill(undefined),
    );
    expect([...access.trusted]).toEqual(['main']);
  });

  it('takes no token that could be guessed, whatever its hash', () => {
    const short = 'hunter2';
    const hash = 'f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7';
    const access = Access.parse(
      `scopes: { main: }\ntokens: [{ name: x, sha256: ${hash}, scope: main }]`,
      'tokens.yaml',
    );
    expect(access.clientOf(short)).toBeUndefined();
  });
});
