import { lstatSync, readdirSync, readFileSync, renameSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { CacheFolder } from './folder.js';
import type { Inventory } from './inventory.js';
import type { EntryKind } from './names.js';

const hexSchema = z.string().regex(/^[0-9a-f]{64}$/);
const size = z.number().int().nonnegative();

/** An entry's file. */
export const entrySchema = z.object({
  body: z.object({ file: z.uuid(), hex: hexSchema, size }),
  needs: z.array(z.object({ hex: hexSchema, size })),
});

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/**
 * Reads what is in the folder. Whatever is not as long as it says is thrown away, so are entries without their body;
 * what a killed server was receiving becomes the beginning of an upload to go on with.
 */
export function load(folder: CacheFolder, inventory: Inventory): void {
  for (const scope of list(join(folder.root, 'scopes'))) {
    folder.furnish(scope);
    loadArtifacts(folder, inventory, scope);
    const bodies = new Set(list(folder.body(scope, '')));
    for (const kind of ['nx', 'ac'] as const) {
      for (const file of list(join(folder.root, 'scopes', scope, kind))) {
        const body = loadEntry(folder, inventory, kind, scope, file);
        bodies.delete(body ?? '');
      }
    }
    for (const nobodys of bodies) {
      folder.discard(folder.body(scope, nobodys));
    }
  }
  rescueIncoming(folder);
  for (const file of list(join(folder.root, 'partial'))) {
    const [scope, hex] = whose(file);
    if (hex === '') {
      folder.discard(join(folder.root, 'partial', file));
      continue;
    }
    const stat = lstatSync(join(folder.root, 'partial', file));
    inventory.addPartial({ type: 'partial', scope, hex, size: stat.size, used: stat.mtimeMs });
  }
}

function loadArtifacts(folder: CacheFolder, inventory: Inventory, scope: string): void {
  const shelf = join(folder.root, 'scopes', scope, 'artifacts');
  for (const file of list(shelf)) {
    const [hex = '', length = ''] = file.split('.');
    const stat = lstatSync(join(shelf, file));
    if (!stat.isFile() || String(stat.size) !== length || !hexSchema.safeParse(hex).success) {
      folder.discard(join(shelf, file));
      continue;
    }
    const known = inventory.artifacts.get(hex);
    if (known === undefined) {
      inventory.addArtifact({
        type: 'artifact',
        hex,
        size: stat.size,
        used: stat.mtimeMs,
        scopes: new Set([scope]),
      });
    } else {
      known.scopes.add(scope);
      known.used = Math.max(known.used, stat.mtimeMs);
    }
  }
}

/** The name of the body of a good entry. */
function loadEntry(
  folder: CacheFolder,
  inventory: Inventory,
  kind: EntryKind,
  scope: string,
  file: string,
): string | undefined {
  const name = file.slice(0, -'.json'.length);
  const path = folder.entry(kind, scope, name);
  try {
    const { body, needs } = entrySchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    const found: Stats = lstatSync(folder.body(scope, body.file));
    if (found.size === body.size) {
      const used = lstatSync(path).mtimeMs;
      inventory.addEntry({ type: 'entry', kind, scope, name, body, needs, size: body.size, used });
      return body.file;
    }
  } catch {
    // not a whole entry
  }
  folder.discard(path);
  return undefined;
}

/** Of a file that is named after an artifact: its scope and digest. */
function whose(file: string): [scope: string, hex: string] {
  const [, scope = '', hex = ''] = /^(.+)\.([0-9a-f]{64})(?:\.[0-9a-f-]{36})?$/.exec(file) ?? [];
  return [scope, hex];
}

function rescueIncoming(folder: CacheFolder): void {
  const incoming = join(folder.root, 'incoming');
  for (const file of list(incoming)) {
    const path = join(incoming, file);
    const [scope, hex] = whose(file);
    const partial = folder.partial(scope, hex);
    const { size: longest } = lstatSync(partial, { throwIfNoEntry: false }) ?? { size: 0 };
    if (hex !== '' && lstatSync(path).size > longest) {
      renameSync(path, partial);
    } else {
      folder.discard(path);
    }
  }
}
