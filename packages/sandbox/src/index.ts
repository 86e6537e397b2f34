export type {
  Action,
  ActionEvent,
  ActionOutcome,
  Input,
  KeyParts,
  LayerDescriptor,
  LayerStack,
  Progress,
  SeedRoot,
} from './types.js';
