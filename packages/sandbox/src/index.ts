export type {
  Action,
  ActionEvent,
  ActionOutcome,
  Input,
  KeyParts,
  LayerDescriptor,
  LayerStack,
  Progress,
} from './types.js';
