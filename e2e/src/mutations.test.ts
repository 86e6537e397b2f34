import { cases } from './mutations/cases.js';
import { prove, uncoveredFields, type Verdict } from './mutations/prove.js';

const minutes = 60_000;

describe('the keys of actions', () => {
  it('have a case for every field of every definition', () => {
    expect(uncoveredFields()).toEqual([]);
  });

  it(
    'change with everything that an action sees, and with nothing else',
    async () => {
      const verdicts: Verdict[] = [];
      await prove(cases, (verdict) => {
        verdicts.push(verdict);
      });
      expect(verdicts.filter(({ right }) => !right)).toEqual([]);
      expect(verdicts.length).toBeGreaterThanOrEqual(cases.length);
    },
    15 * minutes,
  );
});
