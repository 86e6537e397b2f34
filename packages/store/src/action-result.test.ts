import { digestOf, hexOf } from '@strata/fingerprint';
import {
  artifactsOfActionResult,
  BadActionResult,
  decodeActionResult,
  encodeActionResult,
  type ActionResult,
} from './index.js';

const [one, two] = [digestOf('one'), digestOf('two')];
const result: ActionResult = {
  outputs: {
    'layer.tar.zst': {
      mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd',
      digest: one,
      size: 10 * 2 ** 30,
      annotations: { 'dev.strata.title': 'tools: jq, ümlaut', empty: '' },
    },
    log: { mediaType: 'text/plain', digest: two, size: 0 },
  },
  facts: { seconds: 1.5, label: 'tools:build', deep: [{ a: null }, true] },
};

/** A field of a message: its number, and bytes or a text. */
function field(number: number, content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);
}

describe('an action as the ActionResult of the Remote Execution API', () => {
  it('comes back as it was, facts and annotations too', () => {
    expect(decodeActionResult(encodeActionResult(result))).toEqual(result);
    expect(decodeActionResult(encodeActionResult({ outputs: {} }))).toEqual({ outputs: {} });
  });

  it('is the same bytes whatever the order', () => {
    const turned = { ...result, outputs: Object.fromEntries(Object.entries(result.outputs).reverse()) };
    expect(encodeActionResult(turned)).toEqual(encodeActionResult(result));
  });

  it('has the numbers of fields and the types of the specification', () => {
    const digest = Buffer.concat([field(1, hexOf(two)), Buffer.from([2 * 8, 3])]);
    const properties = field(1, Buffer.concat([field(1, 'dev.strata.media-type'), field(2, 'text/plain')]));
    const file = Buffer.concat([field(1, 'log'), field(2, digest), field(7, properties)]);
    const bytes = Buffer.concat([field(2, file), field(9, field(1, 'strata'))]);
    const outputs = { log: { mediaType: 'text/plain', digest: two, size: 3 } };
    expect(Buffer.from(encodeActionResult({ outputs }))).toEqual(bytes);
  });

  it("names every artifact, and those of others' results", () => {
    expect(artifactsOfActionResult(encodeActionResult(result))).toEqual([
      { digest: one, size: 10 * 2 ** 30 },
      { digest: two, size: 0 },
    ]);
    const digest = Buffer.concat([field(1, hexOf(one)), Buffer.from([2 * 8, 7])]);
    expect(artifactsOfActionResult(Buffer.concat([field(6, digest), field(8, digest)]))).toEqual([
      { digest: one, size: 7 },
      { digest: one, size: 7 },
    ]);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['half of one', encodeActionResult(result).slice(0, 100)],
    ['text', Buffer.from('<html>a proxy says hello</html>')],
    ['an absolute path', field(2, Buffer.concat([field(1, '/etc'), field(2, field(1, hexOf(one)))]))],
    ['an empty path', field(2, field(2, field(1, hexOf(one))))],
    ['no digest', field(2, field(1, 'log'))],
    ['a digest with a path in it', field(2, Buffer.concat([field(1, 'log'), field(2, field(1, '../../etc'))]))],
    ['a directory', field(3, Buffer.concat([field(1, 'dir'), field(3, field(1, hexOf(one)))]))],
  ])('is not read from %s', (_, bytes) => {
    expect(() => decodeActionResult(bytes)).toThrow(BadActionResult);
    expect(() => artifactsOfActionResult(bytes)).toThrow(BadActionResult);
  });

  it('is not read where two outputs have one name, or facts are no JSON', () => {
    const file = field(2, Buffer.concat([field(1, 'log'), field(2, field(1, hexOf(one)))]));
    expect(() => decodeActionResult(Buffer.concat([file, file]))).toThrow('two outputs log');
    const any = Buffer.concat([field(1, 'type.googleapis.com/google.protobuf.StringValue'), field(2, field(1, '{'))]);
    expect(() => decodeActionResult(field(9, field(11, any)))).toThrow('no JSON');
  });
});
