/** The path that packages are made for, and the machine: see `EPREFIX` and `CHOST` in the Package Manager Specification. */
export interface PrefixSettings {
  /** EPREFIX: where everything lies when it runs. */
  readonly path: string;
  /** Architecture, as Gentoo's keywords call it. */
  readonly arch: 'amd64' | 'arm64';
  readonly chost: string;
  /** Whose C library the programs use. */
  readonly libc: 'bundled' | 'host';
}

/** A prefix in the parameters of a script that runs inside; nothing where it is a layer that is made. */
export function prefixSpec(prefix: PrefixSettings | undefined): { readonly prefix?: PrefixSettings } {
  return prefix === undefined ? {} : { prefix };
}
