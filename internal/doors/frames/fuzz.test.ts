import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf, GOLDEN_FRAMES } from '../../../test/golden/frames.ts';
import { anyFilter, anyTopic } from '../../../test/support/arbitraries.ts';
import { withEndlessTurn } from '../../../test/support/endless-turn.ts';
import { FakeConnection } from '../../../test/support/fake-connection.ts';
import { sessionsOf } from '../../../test/support/sessions.ts';
import { Broker } from '../../broker/broker.ts';
import { ERRORS } from '../../errors.ts';
import { Metrics } from '../../observe/metrics.ts';
import { encodeFrame, type Frame, FrameType } from '../../protocol/frame/frame.ts';
import { isReservedTopic, matchesFilter } from '../../topic.ts';
import { FramesDoor } from './door.ts';

/** `make fuzz` looks for longer; FUZZ_SEED repeats a run that failed. */
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 3);
const SEED = process.env.FUZZ_SEED === undefined ? undefined : Number(process.env.FUZZ_SEED);
const PING = encodeFrame(FrameType.ping, '', '', '');
const CLIENTS = ['alice', 'bob', 'carol'];

/** What a client does to the broker: a frame that is right, one that is damaged, or noise. */
const anyAction = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('publish' as const), topic: anyTopic, id: fc.nat(3) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('subscribe' as const), filter: anyFilter }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unsubscribe' as const), filter: anyFilter }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('ping' as const) }) },
  // More than one turn may bring.
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flood' as const), pings: fc.nat(600) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('damaged' as const),
      frame: fc.constantFrom(...GOLDEN_FRAMES.filter(({ hex }) => hex.length < 500)),
      at: fc.nat(),
      value: fc.nat(255),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('noise' as const), bytes: fc.uint8Array({ maxLength: 50 }) }),
  },
);
const anyScript = fc.array(
  fc.record({
    client: fc.nat(2),
    actions: fc.array(anyAction, { maxLength: 12 }),
    cuts: fc.array(fc.nat(300), { maxLength: 5 }),
  }),
  { maxLength: 12 },
);

describe('whatever clients send', () => {
  it(
    'the broker tells each at most once why, and delivers what was published, where it belongs, in order',
    async () => {
      await fc.assert(fc.asyncProperty(anyScript, holds), {
        seed: SEED,
        numRuns: Number.MAX_SAFE_INTEGER,
        interruptAfterTimeLimit: SECONDS * 1000,
        markInterruptAsFailure: false,
      });
    },
    (SECONDS + 60) * 1000,
  );
});

type Script = typeof anyScript extends fc.Arbitrary<infer T> ? T : never;
type Action = Script[number]['actions'][number];

async function holds(script: Script): Promise<void> {
  const { door, metrics } = setUp();
  const connections = CLIENTS.map((id) => {
    const connection = new FakeConnection();
    door.open(connection, encodeFrame(FrameType.connect, '', '', id));
    return connection;
  });
  const wished = CLIENTS.map(() => new Set<string>());
  const intact = CLIENTS.map(() => true);
  // What must come of the bytes that are right, and who was refused for a right frame with a forbidden topic.
  const held = CLIENTS.map(() => new Set<string>());
  const refused = CLIENTS.map(() => false);
  const expected = CLIENTS.map(() => [] as string[]);
  const received = await Promise.all(connections.map((connection) => connection.frames()));
  let sequence = 0;

  function encode(client: number, action: Action): Uint8Array {
    const id = CLIENTS[client];
    if (action.kind === 'publish') {
      const claimed = [id, '', 'mallory', CLIENTS[(client + 1) % 3]][action.id];
      const message = `${id} ${sequence++}`;
      expectDelivered(client, action.topic, message);
      return encodeFrame(FrameType.publish, action.topic, message, claimed);
    }
    if (action.kind === 'subscribe') {
      wished[client].add(action.filter);
      if (!refused[client]) held[client].add(action.filter);
      return encodeFrame(FrameType.subscribe, action.filter, '', id);
    }
    if (action.kind === 'unsubscribe') {
      held[client].delete(action.filter);
      return encodeFrame(FrameType.unsubscribe, action.filter, '', id);
    }
    if (action.kind === 'ping') return encodeFrame(FrameType.ping, '', '', id);
    if (action.kind === 'flood') return Buffer.alloc(action.pings * PING.length, PING);
    // From here on nobody knows what this client's bytes mean, only what must not come of them.
    intact[client] = false;
    if (action.kind === 'noise') return action.bytes;
    const bytes = bytesOf(action.frame);
    bytes[action.at % bytes.length] = action.value;
    return bytes;
  }

  function expectDelivered(client: number, topic: string, message: string): void {
    if (!intact[client] || refused[client]) return;
    if (isReservedTopic(topic)) {
      refused[client] = true;
      held[client].clear();
      return;
    }
    for (const [index, filters] of held.entries()) {
      if ([...filters].some((filter) => matchesFilter(filter, topic))) expected[index].push(message);
    }
  }

  for (const { client, actions, cuts } of script) {
    const connection = connections[client];
    const bytes = Buffer.concat(actions.map((action) => encode(client, action)));
    for (const chunk of split(bytes, cuts)) if (!connection.isEnded) connection.handler.bytes(chunk);
    let wasHeldBack: boolean;
    do {
      wasHeldBack = connection.pauses > 0;
      for (const [index, other] of connections.entries()) received[index].push(...(await other.frames()));
    } while (wasHeldBack);
  }

  for (const [index, frames] of received.entries()) {
    const reasons = frames.filter(({ type }) => type === FrameType.disconnect);
    expect(reasons.length).toBeLessThanOrEqual(1);
    for (const { payload } of reasons) {
      expect(Object.keys(ERRORS)).toContain(Buffer.from(payload).toString().split(':')[0]);
    }
    expect(frames.slice(0, 1)).toMatchObject([{ type: FrameType.connack, clientId: CLIENTS[index] }]);
    const last = new Map<string, number>();
    for (const { type, topic, payload, clientId } of frames) {
      if (type !== FrameType.publish) continue;
      expect(CLIENTS).toContain(clientId);
      if (intact[index]) expect([...wished[index]].some((filter) => matchesFilter(filter, topic))).toBe(true);
      const [author, number] = Buffer.from(payload).toString().split(' ');
      if (!CLIENTS.includes(author)) continue;
      expect(author).toBe(clientId);
      expect(Number(number)).toBeGreaterThan(last.get(clientId) ?? -1);
      last.set(clientId, Number(number));
    }
    if (intact[index]) expectAll(frames, expected[index]);
  }
  expect(metrics.snapshot()['disconnects_total{code="internal-error"}']).toBeUndefined();
  for (const connection of connections) connection.handler.closed();
  expect(metrics.snapshot()).toMatchObject({ clients: 0, subscriptions: 0 });
  await door.close(0);
}

/** Everything that was right has come, once; other messages may have, from those whose bytes nobody understands. */
function expectAll(frames: Frame[], expected: string[]): void {
  const messages = frames
    .filter(({ type }) => type === FrameType.publish)
    .map(({ payload }) => Buffer.from(payload).toString());
  const wanted = new Set(expected);
  expect(messages.filter((message) => wanted.has(message))).toEqual(expected);
}

function setUp() {
  const metrics = new Metrics();
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const settings = { maxClients: 10, channelSize: 1e6, channelBytes: 1e9, slowConsumerWaitMs: 1000 };
  const broker = withEndlessTurn(
    new Broker({ settings: { ...settings, slowConsumer: 'drop-new' }, metrics, logger }),
  );
  const limits = { maxMessageBytes: 10_000, connectTimeoutMs: 60_000, keepAliveMs: 0 };
  return {
    door: new FramesDoor({ broker, sessions: sessionsOf(broker, metrics), metrics, logger, ...limits }),
    metrics,
  };
}

function split(bytes: Buffer, cuts: number[]): Buffer[] {
  const ends = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}
