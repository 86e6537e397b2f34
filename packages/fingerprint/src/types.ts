/** A SHA-256 in the form `sha256:<64 lower-case hex digits>`, as OCI writes digests. Made only by {@link parseDigest} and the hashing functions. */
export type Digest = `sha256:${string}` & { readonly __digest: true };

/** An absolute path of this machine, normalised. Made only by {@link absolutePath}. */
export type AbsolutePath = string & { readonly __absolutePath: true };

/** What `JSON.parse` can give back. */
export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue | undefined };

/**
 * One entry of a file tree, with git's modes: 0755 where the owner may execute, else 0644, directories 0755, owner 0:0.
 * `path` is relative to the tree's root, `/`-separated, without a leading `./`.
 */
export type TreeEntry =
  | { readonly type: 'directory'; readonly path: string }
  | {
      readonly type: 'file';
      readonly path: string;
      readonly executable: boolean;
      readonly size: number;
      readonly digest: Digest;
    }
  | { readonly type: 'symlink'; readonly path: string; readonly target: string };

/** Everything of a tree that may reach an artifact; entries sorted by the bytes of their paths. */
export interface TreeManifest {
  readonly entries: readonly TreeEntry[];
  /** Digest of the entries in canonical form: equal trees have equal digests, wherever they lie. */
  readonly digest: Digest;
}

/** A folder of this machine, as it was when it was read. */
export interface ScannedTree {
  readonly root: AbsolutePath;
  readonly manifest: TreeManifest;
  /** Differs from a later {@link changeToken} of the same paths when anything was written to since the reading began. */
  readonly token: string;
}

/** One difference between two manifests. */
export type TreeChange =
  | { readonly change: 'added'; readonly path: string; readonly entry: TreeEntry }
  | { readonly change: 'removed'; readonly path: string; readonly entry: TreeEntry }
  | { readonly change: 'changed'; readonly path: string; readonly before: TreeEntry; readonly after: TreeEntry };
