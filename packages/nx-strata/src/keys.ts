export { cachedTasks, evaluate, type EvaluatedAction, type Evaluation, type EvaluationOptions } from './evaluate.js';
export { openWorkspace, type OpenWorkspace } from './open-workspace.js';
