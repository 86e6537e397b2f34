export { UserError, type Place, type UserErrorOptions } from './user-error.js';
