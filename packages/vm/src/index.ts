export { emulation, probeAcceleration, type Acceleration } from './acceleration.js';
export { bootInteractive } from './boot.js';
export {
  bootTestAction,
  parseBootTestResult,
  type BootFiles,
  type BootTestParameters,
  type BootTestResult,
  type Step,
} from './boot-test.js';
export { extensionTestAction, type ExtensionTestParameters, type TriedExtension } from './extension-test.js';
export { qemuCommandLine, type Machine } from './qemu.js';
