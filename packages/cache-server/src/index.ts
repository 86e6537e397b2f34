export { readServeOptions, type ServeOptions } from './options.js';
export { serve } from './serve.js';
