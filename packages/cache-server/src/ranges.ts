import type { Part } from './artifact-upload.js';
import { Refused } from './refused.js';
import type { Span } from './send.js';

/**
 * The part that a `Range` header asks for (RFC 9110, 14.2); undefined for all of it, also where the header asks for
 * several parts, or for nothing that is a range. Throws {@link Refused} (416) where there is nothing to send.
 */
export function requestedSpan(header: string | undefined, size: number): Span | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') {
    return undefined;
  }
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (start >= end) {
    throw new Refused(416, 'there are no such bytes', { headers: { 'Content-Range': `bytes */${size}` } });
  }
  return { start, end };
}

/**
 * The part of an artifact that a body of `length` bytes brings (`Content-Range`, RFC 9110, 14.4); all of it, where there
 * is no such header. Throws {@link Refused} where the two do not fit.
 */
export function announcedPart(header: string | undefined, length: number): Part {
  if (header === undefined) {
    return { start: 0, end: length, total: length };
  }
  const [, first, last, whole] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header) ?? [];
  const [start, end, total] = [Number(first), Number(last) + 1, Number(whole)];
  // NaN, of a header of another form, is equal to nothing
  if (end - start !== length || end > total || length === 0) {
    throw new Refused(400, 'Content-Range has to be "bytes FIRST-LAST/TOTAL", and as long as the body');
  }
  return { start, end, total };
}
