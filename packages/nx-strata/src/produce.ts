import type { Kind } from '@strata/definitions';
import type { targetNames } from './model.js';
import type { TaskOutput } from './task-output.js';
import { bootImage, buildImage, exportImage, testImage } from './tasks/image.js';
import { buildInitramfs } from './tasks/initramfs.js';
import { buildKernel, fetchKernel } from './tasks/kernel.js';
import { buildLayer, fetchLayer, fetchOrigin, mergeLayer, planLayer } from './tasks/layer.js';
import { buildLayerPackages } from './tasks/packages.js';
import {
  buildPrefix,
  buildPrefixPackages,
  exportPrefix,
  fetchPrefix,
  mergePrefix,
  planPrefix,
  testPrefix,
} from './tasks/prefix.js';
import { fetchRepository, snapshotRepository } from './tasks/repository.js';
import { buildSysext, exportSysext, testSysext, testSysextOn } from './tasks/sysext.js';
import type { Produce, Task } from './tasks.js';

type Targets = Partial<Record<(typeof targetNames)[number], Produce>>;

const producers: Record<Kind, Targets> = {
  repository: { fetch: fetchRepository, snapshot: snapshotRepository },
  layer: {
    origin: fetchOrigin,
    plan: planLayer,
    fetch: fetchLayer,
    packages: buildLayerPackages,
    merge: mergeLayer,
    build: buildLayer,
  },
  prefix: {
    plan: planPrefix,
    fetch: fetchPrefix,
    packages: buildPrefixPackages,
    merge: mergePrefix,
    build: buildPrefix,
    test: testPrefix,
    export: exportPrefix,
  },
  kernel: { fetch: fetchKernel, build: buildKernel },
  initramfs: { build: buildInitramfs },
  image: { build: buildImage, boot: bootImage, test: testImage, export: exportImage },
  sysext: { build: buildSysext, test: testSysext, export: exportSysext },
};

/** Makes the output of a task, whatever its project is. */
export function produce(task: Task): Promise<TaskOutput> {
  const { kind } = task.placed.definition;
  const { target } = task;
  const targets: Partial<Record<string, Produce>> = producers[kind];
  const make = kind === 'sysext' && target.startsWith('test-') ? testSysextOn : targets[target];
  if (make === undefined) {
    throw new Error(`a ${kind} has no ${task.target}`);
  }
  return make(task);
}
