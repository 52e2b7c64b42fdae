import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { ALL_HANDLERS } from '../../internal/doors/kafka/handlers/all.ts';
import { apiVersions } from '../../internal/protocol/kafka/apis/18-api-versions.ts';
import { encodeMessage } from '../../internal/protocol/kafka/codec.ts';
import { decodeResponse } from '../../internal/protocol/kafka/exchange.ts';
import { requestHeader, requestHeaderVersion } from '../../internal/protocol/kafka/headers.ts';
import type { Api } from '../../internal/protocol/kafka/schema.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { collectGarbage } from '../support/garbage.ts';
import { mutate, mutations, valueArbitrary } from '../support/kafka-arbitraries.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { KeptLog } from '../support/logs.ts';

const log = new KeptLog();
let broker: RunningBroker;
let url: string;

beforeAll(async () => {
  broker = await startBroker({
    kafka: { listen: ['tcp://127.0.0.1:0'], autoCreate: false },
    memory: true,
    logger: log,
  });
  url = broker.listeners[0].url;
});

afterAll(() => broker.close());

/** Names, ids and numbers that occur, so that random requests often mean something. */
const KNOWN: Readonly<Record<string, readonly unknown[]>> = {
  name: ['a', 'b', ''],
  topic: ['a', 'b', ''],
  groupId: ['g', 'h', ''],
  memberId: ['', 'm'],
  partitionIndex: [0, 1, -1],
  partition: [0, 1, -1],
  index: [0, 1],
  numPartitions: [1, 2, -1],
  replicationFactor: [1, -1],
  records: [buildBatch([{ timestamp: 1, key: null, value: Buffer.from('x'), headers: [] }]), null],
  maxWaitMs: [0, 1],
  timeoutMs: [0, 1],
  acks: [0, 1, -1],
  sessionTimeoutMs: [6_000],
  rebalanceTimeoutMs: [1],
  timestamp: [-1, -2, -3, 0],
  fetchOffset: [0, 1, -1],
};

/** A request of any API in any version, with values of which some are known ones. */
const requests = fc
  .constantFrom(...ALL_HANDLERS.map(({ api }) => api))
  .chain((api) =>
    fc
      .integer({ min: api.validVersions.min, max: api.validVersions.max })
      .chain((version) =>
        fc
          .tuple(valueArbitrary(api.request, version), fc.infiniteStream(fc.nat()))
          .map(([value, choices]) => ({ api, version, body: withKnown(value, choices) })),
      ),
  );

function withKnown(value: unknown, choices: Iterator<number>): unknown {
  if (Array.isArray(value)) return value.map((element) => withKnown(element, choices));
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const members = Object.entries(value).map(([name, member]) => {
    const known = KNOWN[name];
    const choice = choices.next().value as number;
    if (known === undefined || choice % 4 === 0 || member === null) return [name, withKnown(member, choices)];
    return [name, known[choice % known.length]];
  });
  return Object.fromEntries(members);
}

/** The frame of a request; undefined where a version cannot carry a known value. */
function frameOf(api: Api, version: number, body: unknown): Buffer | undefined {
  try {
    const header = { apiKey: api.key, apiVersion: version, correlationId: 7, clientId: 'fuzz' };
    return withSize(
      Buffer.concat([
        ...encodeMessage(requestHeader, requestHeaderVersion(api, version), header),
        ...encodeMessage(api.request, version, body as Record<string, unknown>),
      ]),
    );
  } catch {
    return undefined;
  }
}

function withSize(request: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(request.length);
  return Buffer.concat([size, request]);
}

describe('any request', () => {
  it('is answered in its version, or closes the connection; and nothing is a bug', async () => {
    let answered = 0;
    const property = fc.asyncProperty(requests, async ({ api, version, body }) => {
      const frame = frameOf(api, version, body);
      if (frame === undefined) return;
      const wire = await KafkaWire.open(url);
      wire.socket.write(frame);
      // Whoever goes is not waited for: long polls and groups answer at once.
      wire.socket.end();
      const answer = await wire.next();
      if (answer === undefined) return;
      answered++;
      expect(decodeResponse(api, version, answer).correlationId).toBe(7);
      wire.close();
    });
    await fc.assert(property, { numRuns: 4_000 });
    // Only Produce with acks=0 gets no answer.
    expect(answered).toBeGreaterThan(3_000);
    expect(log.fields.filter((fields) => 'code' in fields && fields.code === 'internal-error')).toEqual([]);
  });
});

describe('broken requests', () => {
  it('by the hundred thousand cost no memory, and the broker goes on', async () => {
    const samples = fc.sample(fc.tuple(requests, mutations), 2_000);
    const frames = samples.flatMap(([{ api, version, body }, changes]) => {
      const frame = frameOf(api, version, body);
      // The size stays, so that the next request begins where it should.
      return frame === undefined ? [] : [withSize(mutate(frame.subarray(4), changes))];
    });
    const before = await usedBytes();
    let sent = 0;
    let round = 0;
    // Many at once: each connection waits for timers and the network more than it computes.
    const client = async () => {
      while (sent < 100_000) {
        const first = (round++ * 5) % frames.length;
        const batch = frames.slice(first, first + 5);
        sent += batch.length;
        const wire = await KafkaWire.open(url);
        wire.socket.end(Buffer.concat(batch));
        await wire.closed;
      }
    };
    await Promise.all(Array.from({ length: 32 }, client));
    expect(log.fields.filter((fields) => 'code' in fields && fields.code === 'internal-error')).toEqual([]);
    expect((await usedBytes()) - before).toBeLessThan(128 * 1024 * 1024);
    const wire = await KafkaWire.open(url);
    expect((await wire.ask(apiVersions, 0, {})).errorCode).toBe(0);
    wire.close();
  });

  it('that claim to be large reserve nothing', async () => {
    const before = await usedBytes();
    const size = Buffer.alloc(4);
    size.writeInt32BE(99 * 1024 * 1024);
    const wires = await Promise.all(Array.from({ length: 200 }, () => KafkaWire.open(url)));
    for (const wire of wires) wire.socket.write(size);
    const last = await KafkaWire.open(url);
    await last.ask(apiVersions, 0, {});
    expect((await usedBytes()) - before).toBeLessThan(64 * 1024 * 1024);
    for (const wire of [...wires, last]) wire.close();
  });
});

/** What the process holds, after what nobody holds any more has gone. */
async function usedBytes(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
