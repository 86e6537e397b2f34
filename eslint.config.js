import js from '@eslint/js';
import globals from 'globals';
import tseslint from 'typescript-eslint';

/** The house, from the ground up: a package may import only those before it, and only through their one door. */
const house = ['definitions', 'fingerprint', 'store', 'sandbox', 'portage', 'image', 'vm', 'cache-server', 'nx-strata'];

/** Packages that know nothing of each other, besides what the order says. */
const strangers = {
  definitions: [],
  image: ['portage'],
  vm: ['portage', 'image'],
  'cache-server': ['sandbox', 'portage', 'image', 'vm'],
};

const packageName = (room) => (room === 'nx-strata' ? 'nx-strata' : `@strata/${room}`);

const boundaries = house.map((room, floor) => {
  const forbidden = house.filter((other, otherFloor) => otherFloor >= floor || strangers[room]?.includes(other));
  // UserError is how every package tells a user what is wrong; it lives with the definitions that it points into.
  const allowed = room === 'definitions' ? [] : ['definitions'];
  return {
    files: [`packages/${room}/src/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: forbidden.filter((other) => !allowed.includes(other)).map(packageName),
              message: `packages/${room} may import only packages above it (see the house in the design).`,
            },
            { group: ['@strata/*/*', 'nx-strata/*'], message: 'Each package has one door: its index.' },
            { group: ['../../*'], message: 'No relative way out of a package: use its door.' },
          ],
        },
      ],
    },
  };
});

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.nx/**', 'examples/**', 'tmp/**'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['**/*.test.ts'],
    // jest's matchers and tagged mocks are looser than what the product's own code may do
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  { files: ['**/*.{js,mjs}'], languageOptions: { globals: globals.node } },
  ...boundaries,
);
