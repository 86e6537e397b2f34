import { parseBytes, suggest, UserError } from '@strata/definitions';
import { formatBytes } from '@strata/image';
import { openUserStore } from '@strata/sandbox';
import { MissingArtifact, openRemotes, remoteAddresses, Uploader, type Descriptor, type Store } from '@strata/store';
import { cachedTasks, evaluate, type EvaluatedAction } from '../evaluate.js';
import { findProject } from '../find-project.js';
import { openWorkspace, type OpenWorkspace } from '../open-workspace.js';
import { withBar } from './progress-bar.js';

const verbs = ['status', 'gc', 'verify', 'pull', 'push', 'clear'];

/** `strata store`: looks after the store of this user. */
export async function storeCommand(
  [verb = '', project]: readonly string[],
  options: { readonly keep?: string | undefined },
): Promise<void> {
  switch (verb) {
    case 'status':
      return status();
    case 'gc':
      return collect(await openUserStore(), options.keep);
    case 'verify':
      return verify(await openUserStore());
    case 'pull':
      return pull(project);
    case 'push':
      return push(project);
    case 'clear': {
      const store = await openUserStore();
      await store.clear();
      console.log(`${store.root} is empty`);
      return;
    }
    default: {
      const close = suggest(verb, verbs);
      throw new UserError(`strata store cannot ${verb === '' ? 'do nothing' : verb}`, {
        hint: close === undefined ? `it can ${verbs.join(', ')}` : `did you mean strata store ${close}?`,
      });
    }
  }
}

async function status(): Promise<void> {
  // outside of a workspace there is a store, too
  const workspace = await openWorkspace().catch(() => undefined);
  const store = workspace?.store ?? (await openUserStore());
  const { artifacts, actions, trees } = await store.status();
  console.log(store.root);
  console.log(`  ${artifacts.count} artifacts, ${formatBytes(artifacts.bytes)}`);
  console.log(`  ${actions.count} actions`);
  console.log(`  ${trees.count} unpacked trees`);
  const remotes = openRemotes(store.root, {
    addresses: remoteAddresses(process.env, workspace?.model.options.remotes),
  });
  const { left } = await new Uploader(store, remotes).progress();
  for (const remote of remotes.all) {
    console.log(`  shares with ${remote.name}${remote.readOnly ? ', reading only' : ''}`);
    // with Nx's daemon, what was found out after the last task is in the daemon's log, where nobody sees it
    for (const notice of remotes.noticesOf(remote)) {
      console.log(`    ${notice}`);
    }
  }
  if (left > 0) {
    console.log(`  ${left} actions wait to be uploaded`);
  }
  await remotes.close();
}

async function collect(store: Store, keep: string | undefined): Promise<void> {
  if (keep === undefined) {
    throw new UserError('strata store gc needs to know how much is to stay', { hint: 'strata store gc --keep 20GB' });
  }
  const bytes = parseBytes(keep);
  if (bytes === undefined) {
    throw new UserError(`--keep cannot be ${keep}`, { hint: 'give a size as 20GB, 500MB or 1.5TB' });
  }
  const { freed, items, left, needed } = await withBar('collects', (show) => store.collect(bytes, show));
  console.log(`${formatBytes(freed)} freed (${items} artifacts and trees), ${formatBytes(left)} left`);
  if (needed > 0) {
    console.log(`${formatBytes(needed)} more stay, since builds that run now may need them`);
  }
}

async function verify(store: Store): Promise<void> {
  const bad = await withBar('verifies', (show) => store.verify(show));
  const { artifacts } = await store.status();
  console.log(
    `${artifacts.count} artifacts are what they are named by${bad === 0 ? '' : `; ${bad} were not, and are removed`}`,
  );
}

/** The actions of a project and of what it depends on, as they would be run now. */
async function actionsOf(workspace: OpenWorkspace, store: Store, project: string): Promise<EvaluatedAction[]> {
  const { root, model, projects, records } = workspace;
  const names = cachedTasks(model).filter((name) => name.project === project);
  const signal = new AbortController().signal;
  const { actions, errors } = await evaluate(model, root, projects, names, { store, records, signal });
  for (const error of errors.values()) {
    throw error;
  }
  return [...actions.values()];
}

function requireProject(workspace: OpenWorkspace, verb: string, project: string | undefined): string {
  if (project === undefined) {
    throw new UserError(`strata store ${verb} needs a project`, { hint: `strata store ${verb} PROJECT` });
  }
  return findProject(workspace, project).name;
}

function requireRemotes({ model }: OpenWorkspace, writes = false): ReturnType<typeof remoteAddresses> {
  const addresses = remoteAddresses(process.env, model.options.remotes).filter(({ readOnly }) => !writes || !readOnly);
  if (addresses.length === 0) {
    throw new UserError(writes ? 'there is no cache that may be written to' : 'there is no cache to share with', {
      hint: 'name one as `remotes` in the options of nx-strata in nx.json, or as STRATA_REMOTE in the environment',
    });
  }
  return addresses;
}

function ifMissing(error: unknown): MissingArtifact {
  if (error instanceof MissingArtifact) {
    return error;
  }
  throw error;
}

async function pull(name: string | undefined): Promise<void> {
  const workspace = await openWorkspace();
  const project = requireProject(workspace, 'pull', name);
  const addresses = requireRemotes(workspace);
  const faults: string[] = [];
  const asked = openRemotes(workspace.store.root, { addresses });
  // who asks for it wants to know how it is now
  asked.forget();
  await asked.close();
  let show: ((work: { done: number; total: number }) => void) | undefined;
  const store = await openUserStore(process.env, {
    addresses,
    onFault: (message) => {
      faults.push(message);
    },
    onTransfer: (transfer) => show?.(transfer),
  });
  const actions = await actionsOf(workspace, store, project);
  const own = actions.filter(({ task }) => task.startsWith(`${project}:`));
  const known = own.filter((action) => action.known);
  const artifacts = known.flatMap(({ outputs }): Descriptor[] => Object.values(outputs));
  const gone = await withBar('pulls', async (shown) => {
    show = shown;
    return store.bring(artifacts).then(() => undefined, ifMissing);
  });
  if (faults.length > 0 && (gone !== undefined || known.length < own.length)) {
    throw new UserError(`${project} is not pulled`, {
      details: faults,
      hint: 'try again when the cache can be used',
      cause: gone,
    });
  }
  if (gone !== undefined) {
    throw new UserError(`${project} is not pulled: ${gone.message}`, { hint: `build it: nx run ${project}:build` });
  }
  faults.forEach((fault) => {
    console.error(fault);
  });
  const bytes = artifacts.reduce((sum, { size }) => sum + size, 0);
  console.log(`${project}: ${artifacts.length} artifacts are here, ${formatBytes(bytes)}`);
  for (const { action } of own.filter((one) => !one.known)) {
    console.log(`${action.label} was not done anywhere yet`);
  }
}

async function push(name: string | undefined): Promise<void> {
  const workspace = await openWorkspace();
  const project = requireProject(workspace, 'push', name);
  const addresses = requireRemotes(workspace, true);
  const faults: string[] = [];
  const remotes = openRemotes(workspace.store.root, { addresses, onFault: (message) => faults.push(message) });
  remotes.forget();
  // what is only known elsewhere need not be brought here to be brought there
  const local = await openUserStore();
  const offering = await openUserStore(process.env, { addresses, reads: false, offers: true });
  await actionsOf(workspace, offering, project);
  const uploader = new Uploader(local, remotes);
  const left = await withBar('pushes', (show) => uploader.drainAll({ onWork: show }));
  const { bytes, actions } = await uploader.progress();
  await remotes.close();
  const closed = remotes.writable.find((remote) => remotes.isUnwilling(remote));
  if (closed !== undefined) {
    throw new UserError(`${project} is not shared: ${closed.name} takes nothing`, {
      hint: 'the token may only read, or the server is no cache for artifacts and actions',
    });
  }
  if (left > 0 || faults.length > 0) {
    throw new UserError(`${project} is not shared: ${left} actions are left`, {
      details: faults,
      hint: 'they are uploaded with the next command that can',
    });
  }
  console.log(`${project}: ${actions} actions are shared, ${formatBytes(bytes)} were uploaded`);
}
