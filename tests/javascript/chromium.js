// What Node gives to the tests, for a browser: enough of node:assert, node:test and node:fs that they run there as they stand.

const results = [];
const running = [];

export function test(name, options, body) {
  if (body === undefined) [options, body] = [{}, options];
  if (options.skip) return;
  running.push(
    (async () => body({ after() {} }))().then(
      () => results.push({ name }),
      (error) => results.push({ name, error: String(error?.stack ?? error) }),
    ),
  );
}

/** What came of all tests. */
export async function outcome() {
  await Promise.all(running);
  return { passed: results.filter(({ error }) => !error).length, failed: results.filter(({ error }) => error) };
}

const written = (value) =>
  JSON.stringify(value, (_, each) => {
    if (typeof each === "bigint") return `${each}n`;
    if (ArrayBuffer.isView(each)) return [each.constructor.name, ...each];
    if (each instanceof Map) return ["Map", ...each];
    if (each === undefined || (typeof each === "number" && !Number.isFinite(each)) || Object.is(each, -0)) return `${Object.is(each, -0) ? "-0" : each}`;
    return each;
  });

function check(holds, what) {
  if (!holds) throw new Error(what);
}

export default {
  ok: (value) => check(value, `${value} is not so`),
  equal: (found, wanted) => check(Object.is(found, wanted), `${written(found)} is not ${written(wanted)}`),
  deepEqual: (found, wanted) => check(written(found) === written(wanted), `${written(found)} is not ${written(wanted)}`),
};

/** Only what stands at an address, and at once, as readFileSync does. */
export function readFileSync(address) {
  const request = new XMLHttpRequest();
  request.open("GET", address, false);
  request.send();
  check(request.status === 200, `${address}: ${request.status}`);
  return request.responseText;
}

globalThis.Buffer = {
  from(data, encoding) {
    if (encoding === "hex") return Uint8Array.from(data.match(/../g) ?? [], (pair) => parseInt(pair, 16));
    return { toString: () => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("") };
  },
};
