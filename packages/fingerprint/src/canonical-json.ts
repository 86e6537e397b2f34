import type { JsonValue } from './types.js';

/**
 * JSON with sorted names, no white space and no undefined members: equal values have equal texts.
 * Names are sorted by UTF-16 code units, as in RFC 8785.
 */
export function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) {
    return `[${value.map((item: JsonValue) => canonicalJson(item)).join(',')}]`;
  }
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value as Record<string, JsonValue | undefined>)
      .filter((member): member is [string, JsonValue] => member[1] !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}
