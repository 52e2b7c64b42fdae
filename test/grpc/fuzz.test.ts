import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openTestDoor, type TestDoor } from './grpc-door.ts';
import { callHeaders, Flag, frame, RawHttp2, Type } from './raw-http2.ts';

/*
 * Frames of any kind in any order, their payloads random or nearly right: whatever comes of a connection, the door goes
 * on and nothing of it stays. `make fuzz` is a long run.
 */

const RUN_MS = Number(process.env.FUZZ_SECONDS ?? 5) * 1_000;

let door: TestDoor;
beforeAll(async () => {
  door = await openTestDoor();
  await door.client.unary('CreateTopic', { topic: 't' });
});
afterAll(() => door.close());

const methods = [
  'Connect',
  'Produce',
  'Consume',
  'StreamProduce',
  'StreamConsume',
  'BulkRetrieve',
  'Nothing',
];
const message = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  // A request for the topic that there is, with fields that may be anything.
  fc.uint8Array({ maxLength: 12 }).map((rest) => Uint8Array.of(0x0a, 1, 0x74, ...rest)),
);
const enveloped = fc
  .tuple(message, fc.constantFrom(0, 0, 0, 1, 2), fc.constantFrom(0, 0, 0, 1, -1))
  .map(([body, flag, lie]) => {
    const envelope = Buffer.alloc(5);
    envelope[0] = flag;
    envelope.writeUInt32BE(Math.max(0, body.length + lie), 1);
    return Buffer.concat([envelope, body]);
  });
const stream = fc.integer({ min: 0, max: 12 });
const anyFrame = fc.oneof(
  fc
    .tuple(
      stream,
      fc.constantFrom(...methods),
      fc.constantFrom<Record<string, string>>({}, { 'grpc-timeout': '1m' }, { 'grpc-encoding': 'gzip' }),
      fc.boolean(),
    )
    .map(([id, method, more, isLast]) => {
      const flags = Flag.endHeaders | (isLast ? Flag.endStream : 0);
      return frame(Type.headers, flags, id, callHeaders(`/smq.SuhaibMessageQueue/${method}`, more));
    }),
  fc
    .tuple(stream, enveloped, fc.boolean())
    .map(([id, body, isLast]) => frame(Type.data, isLast ? Flag.endStream : 0, id, body)),
  fc
    .tuple(stream, fc.constantFrom(0, 8, 2))
    .map(([id, code]) => frame(Type.reset, 0, id, Buffer.of(0, 0, 0, code))),
  fc
    .tuple(stream, fc.constantFrom(0, 1, 0x7fff_ffff))
    .map(([id, size]) =>
      frame(Type.windowUpdate, 0, id, Buffer.from(size.toString(16).padStart(8, '0'), 'hex')),
    ),
  fc
    .tuple(
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 0, max: 255 }),
      stream,
      fc.uint8Array({ maxLength: 30 }),
    )
    .map(([type, flags, id, payload]) => frame(type, flags, id, payload)),
);

it(
  'bears any frames',
  async () => {
    const endsAt = performance.now() + RUN_MS;
    const seed = randomInt(2 ** 31);
    let connections = 0;
    for (const frames of fc.sample(fc.array(fc.array(anyFrame, { maxLength: 12 }), { minLength: 20 }), {
      seed,
      numRuns: 1_000,
    })) {
      if (performance.now() > endsAt) break;
      const open = frames.map((sent) => {
        const raw = new RawHttp2(door.door.url);
        raw.start();
        raw.send(...sent);
        return raw;
      });
      connections += open.length;
      expect(await door.client.unary('Connect', {}), `seed ${seed}`).toEqual({});
      for (const raw of open) raw.close();
    }
    expect(connections).toBeGreaterThan(0);
    await vi.waitUntil(() => door.metrics.snapshot().grpc_connections === 1, { timeout: 30_000 });
    expect(door.metrics.snapshot().grpc_calls, `seed ${seed}`).toBe(0);
    expect(
      door.log.lines.filter((line) => line.startsWith('error')),
      `seed ${seed}`,
    ).toEqual([]);
  },
  RUN_MS + 60_000,
);
