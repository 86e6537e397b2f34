import { UserError } from '@strata/definitions';

/** The error to show for one that came of reading something that was just listed. */
export function explainReading(cause: unknown, path: string): unknown {
  const { code } = cause as { readonly code?: unknown };
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EINVAL':
    case 'EISDIR':
    case 'ELOOP':
    case 'ENXIO':
      return new UserError(`${path} was replaced or removed while it was being read`, {
        hint: 'see what writes there, and run it again',
        cause,
      });
    case 'EACCES':
    case 'EPERM':
      return new UserError(`${path} may not be read`, {
        hint: 'give yourself the right to read it, or leave it out of the tree',
        cause,
      });
    default:
      return cause;
  }
}
