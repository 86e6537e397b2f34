/** Tests run as compiled by `tsc -b`, as ES modules: no transform stands between a test and what users run. */
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/packages/*/dist/**/*.test.js', '<rootDir>/e2e/dist/**/*.test.js'],
  transform: {},
  testTimeout: 120_000,
};
