// The codec, beside msgspec: what one writes the other reads, and both refuse the same bytes.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { decodeData, encodeData } from "../../src/landline/javascript/codec.js";
import { DataError } from "../../src/landline/javascript/errors.js";
import { Type } from "../../src/landline/javascript/frames.js";
import { Extension } from "../../src/landline/javascript/msgpack.js";
import { encode } from "../../src/landline/javascript/pack.js";
import { decode } from "../../src/landline/javascript/unpack.js";
import { PYTHON } from "./house.js";
import { bytes, hex } from "./player.js";

const python = (args, input) =>
  JSON.parse(execFileSync(PYTHON, [fileURLToPath(new URL("corpus.py", import.meta.url)), ...args], { input, maxBuffer: 1 << 28 }));
const CASES = python([]);

/** As corpus.py describes it. */
function described(value) {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "bigint" || (Number.isSafeInteger(value) && !Object.is(value, -0))) return { int: `${value}` };
  if (typeof value === "number") {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    return { float: Number.isNaN(value) ? "nan" : hex(new Uint8Array(view.buffer)) };
  }
  if (typeof value === "string") return { text: value };
  if (value instanceof Uint8Array) return { bytes: hex(value) };
  if (value instanceof Date) return { ms: `${value.getTime()}` };
  if (value instanceof Extension) return { extension: value.type, bytes: hex(value.data) };
  if (Array.isArray(value)) return value.map(described);
  return { map: (value instanceof Map ? [...value] : Object.entries(value)).map((entry) => entry.map(described)) };
}

/** Whole keys of an object come first in JavaScript; where they stand says nothing. */
const sorted = (value) => {
  if (Array.isArray(value)) return value.map(sorted);
  if (value && typeof value === "object" && "map" in value) return { map: value.map.map(sorted).sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1)) };
  return value;
};

const read = (written) => {
  try {
    return [sorted(described(decode(written)))];
  } catch (error) {
    assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
    return null;
  }
};

test("bytes are read as msgspec reads them, and refused where it refuses them", () => {
  const differing = CASES.filter(({ bytes: written, value }) => JSON.stringify(read(bytes(written))) !== JSON.stringify(sorted(value)));

  assert.ok(CASES.filter(({ value }) => value).length > 500 && CASES.filter(({ value }) => !value).length > 500);
  assert.deepEqual(differing.slice(0, 5).map(({ bytes: written, value }) => [written.slice(0, 80), value, read(bytes(written))]), []);
});

test("what is written is read by msgspec as the same value", () => {
  const values = CASES.filter(({ value }) => value).map(({ bytes: written }) => decode(bytes(written)));
  const back = python(["read"], JSON.stringify(values.map((value) => hex(encode(value)))));

  assert.deepEqual(back.map((each) => JSON.stringify(sorted(each))), values.map((value) => JSON.stringify([sorted(described(value))])));
});

test("a payload's form is looked at when it arrives, and nothing is made of it until it is taken", () => {
  for (const { bytes: written } of CASES) {
    const data = bytes(written);
    let value;
    try {
      value = decodeData(Type.PACKED, data);
    } catch (error) {
      assert.equal(error.code, 8);
      assert.equal(read(data), null, written); // never refused here what can be read
      continue;
    }
    if (read(data)) assert.deepEqual([sorted(described(value()))], read(data));
    else assert.throws(value, { code: 8 }); // invalid text, a time out of range, a key that holds a map
  }
});

test("what is cut off, or has something behind it, is refused when it arrives", () => {
  for (const written of ["93c0", "91", "82a16101", "c403aa", "da0002aa", "c0c0", "c1", "c70501", "cb00"]) {
    assert.throws(() => decodeData(Type.PACKED, bytes(written)), { code: 8 }, written);
  }
});

test("deep values are refused where they are sent, and read deeper than they are sent", () => {
  const nested = (levels) => Array.from({ length: levels }).reduce((value) => [value], 1);
  const raw = (levels) => new Uint8Array([...Array(levels).fill(0x91), 0xc0]);

  assert.doesNotThrow(() => encode(nested(500)));
  assert.throws(() => encode(nested(501)), DataError);
  assert.doesNotThrow(() => decode(raw(2000)));
  assert.throws(() => decode(raw(2001)), RangeError);
  assert.throws(() => decodeData(Type.PACKED, raw(100_000))(), { code: 8 });
});

test("a declared size allocates nothing", () => {
  for (const head of ["dd7fffffff", "df7fffffff", "c6ffffffff", "dbffffffff", "c9ffffffff05"]) assert.throws(() => decode(bytes(head)), RangeError);
});

test("text and bytes travel as they are, and are copies", () => {
  const data = Uint8Array.of(1, 2, 3);
  const { type, payload } = encodeData(data.subarray(1), 10);
  data[1] = 9;

  assert.deepEqual([type, payload], [Type.BYTES, Uint8Array.of(2, 3)]);
  assert.deepEqual(encodeData("é", 10), { type: Type.TEXT, payload: Uint8Array.of(0xc3, 0xa9) });
  assert.throws(() => encodeData("éé", 3), DataError);
  assert.throws(() => decodeData(Type.TEXT, Uint8Array.of(0xed, 0xa0, 0x80)), { code: 8 });
  assert.deepEqual(encodeData(new Uint16Array([1]).buffer, 10).payload, Uint8Array.of(1, 0));
});

test("an undefined field is left out, a sparse place is nil, and -0 stays itself", () => {
  assert.deepEqual(decode(encode({ a: undefined, b: [undefined, 1] })), { b: [null, 1] });
  assert.ok(Object.is(decode(encode(-0)), -0));
  assert.throws(() => encode(Object.create({ own: 1 }, {})), DataError);
});
