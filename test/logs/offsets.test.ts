import { describe, expect, it, onTestFinished } from 'vitest';
import { buildBatch } from '../../internal/batch/build.ts';
import { encodeAck, encodeReturn } from '../../internal/protocol/frame/acknowledgements.ts';
import { encodeFrame, type Frame, FrameBit, FrameType } from '../../internal/protocol/frame/frame.ts';
import { encodePosition, GOES_ON, parseReplayed } from '../../internal/protocol/frame/positions.ts';
import {
  type FrameProperties,
  payloadWith,
  readProperties,
} from '../../internal/protocol/frame/properties.ts';
import { produce as produceApi } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { connect as connectSdk, type Message } from '../../pkg/client/index.ts';
import { Faults, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { eventually } from '../support/eventually.ts';
import { connect, publish, subscribe } from '../support/frame-words.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { openStream, RawClient } from '../support/raw-client.ts';

const { acknowledged, properties } = FrameBit;
const NO_LOG_ID = new Uint8Array(16);

async function broker(faults = new Faults()): Promise<RunningBroker> {
  const started = await startBroker({
    listen: ['tcp://127.0.0.1:0'],
    kafka: { listen: ['tcp://127.0.0.1:0'] },
    memory: true,
    faults,
    logs: [{ filter: 'kept/#' }],
  });
  onTestFinished(() => started.close());
  return started;
}

async function client(url: string, offer: string, id = 'me'): Promise<RawClient> {
  const raw = new RawClient(await openStream(url), id);
  onTestFinished(() => void raw.stream.destroy());
  raw.stream.write(connect(id, offer));
  await raw.expect(FrameType.connack);
  return raw;
}

/** Publishes the numbers up to a count to one topic, and waits until its log has them. */
async function keep(url: string, topic: string, texts: readonly string[], said: FrameProperties = {}) {
  const raw = await client(url, 'acks headers', `publisher of ${topic} ${texts[0]}`);
  for (const text of texts) raw.stream.write(publish(topic, text, { bits: acknowledged, ...said }));
  let upTo = 0;
  while (upTo < texts.length) {
    const { payload } = await raw.expect(FrameType.acknowledge | acknowledged);
    upTo = Number(Buffer.from(payload).readBigUInt64BE(0));
  }
}

/** A record of a producer of Kafka, which goes to live subscribers from the log. */
async function produce(started: RunningBroker, log: string, text: string): Promise<void> {
  const wire = await KafkaWire.open(urlOf(started, 'kafka'));
  onTestFinished(() => wire.close());
  const records = buildBatch([{ timestamp: 1, key: null, value: Buffer.from(text), headers: [] }]);
  const topicData = [{ name: log, partitionData: [{ index: 0, records }] }];
  const answer = await wire.ask(produceApi, 9, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 1_000,
    topicData,
  });
  expect(answer.responses[0]!.partitionResponses[0]!.errorCode).toBe(0);
}

/** SUBSCRIBE with properties, and a payload behind them. */
function asked(filter: string, said: FrameProperties, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  return encodeFrame(FrameType.subscribe | properties, filter, payloadWith(said, payload), 'me');
}

/** What a frame says of its message. */
function told({ type, payload }: Frame): { said: FrameProperties; rest: Uint8Array } {
  if ((type & properties) === 0) return { said: {}, rest: payload };
  const { properties: said, messageStart } = readProperties(payload, 0, payload.length);
  return { said, rest: payload.subarray(messageStart) };
}

function placed(frame: Frame): string {
  const { said, rest } = told(frame);
  const { place, isAgain } = said;
  const where = place === undefined ? 'nowhere' : `${place.log}/${place.partition}@${place.offset}`;
  return `${Buffer.from(rest)} ${where}${isAgain ? ' again' : ''}`;
}

describe('offsets', () => {
  it('stand in replays that have no positions, and in those that are acknowledged', async () => {
    const { url } = await broker();
    await keep(url, 'kept/a', ['0', '1', '2']);
    const plain = await client(url, 'offsets', 'plain');
    plain.stream.write(subscribe('$replay/earliest/kept/#', {}, 'plain'));
    await plain.expect(FrameType.suback);
    expect((await plain.messages(3)).map(placed)).toEqual(['0 kept.a/0@0', '1 kept.a/0@1', '2 kept.a/0@2']);
    const counted = await client(url, 'offsets delivery', 'counted');
    counted.stream.write(subscribe('$replay/earliest/kept/#', { acknowledged: true }, 'counted'));
    await counted.expect(FrameType.suback);
    const got = await counted.messages(3);
    expect(got.map(({ type }) => type)).toEqual(Array(3).fill(FrameType.publish | acknowledged | properties));
    expect(got.map(placed)).toEqual(['0 kept.a/0@0', '1 kept.a/0@1', '2 kept.a/0@2']);
  });

  it('say where a replay begins in each log; other logs begin at START, or, where it goes on, at their beginning', async () => {
    const { url } = await broker();
    for (const topic of ['kept/a', 'kept/b', 'kept/c']) await keep(url, topic, ['0', '1', '2']);
    const first = await client(url, 'offsets', 'first');
    first.stream.write(subscribe('$replay/earliest/kept/a', {}, 'first'));
    await first.expect(FrameType.suback);
    const place = told((await first.messages(3))[1]!).said.place!;
    const starts = [
      { ...place, offset: place.offset + 1 },
      { partition: 0, offset: 1, logId: NO_LOG_ID, log: 'kept.b' },
      // Of a log that is not the one that the client knew, and of one that is not there.
      { ...place, offset: 2, log: 'kept.c' },
      { ...place, log: 'kept.d' },
    ];
    for (const [start, payload, last] of [
      ['latest', new Uint8Array(0), []],
      ['latest', GOES_ON, ['kept.c@0', 'kept.c@1', 'kept.c@2']],
    ] as const) {
      const again = await client(url, 'offsets refusals', `again ${payload.length}`);
      again.stream.write(asked(`$replay/${start}/kept/#`, { starts }, payload));
      await again.expect(FrameType.suback);
      const wanted = ['kept.a@2', 'kept.b@1', 'kept.b@2', ...last];
      const got = (await again.messages(wanted.length)).map((frame) => {
        const { log, offset } = told(frame).said.place!;
        return `${log}@${offset}`;
      });
      expect(got.sort()).toEqual(wanted);
      await again.expectSilence();
    }
  });

  it('of where to start mean nothing without a replay, and nothing to a client that did not agree', async () => {
    const { url } = await broker();
    const raw = await client(url, 'offsets refusals options');
    const starts = [{ partition: 0, offset: 1, logId: NO_LOG_ID, log: 'kept.a' }];
    raw.stream.write(asked('kept/a', { starts }));
    expect(Buffer.from((await raw.expect(FrameType.subscribeRefused)).payload).toString()).toMatch(
      /^invalid-properties: /,
    );
    const other = await client(url, 'refusals options', 'other');
    other.stream.write(asked('$replay/earliest/kept/a', { starts }));
    expect(Buffer.from((await other.expect(FrameType.subscribeRefused)).payload).toString()).toMatch(
      /^invalid-properties: /,
    );
  });

  it('are said of live messages that were read from a log, after a restart of their session too', async () => {
    const started = await broker();
    const { url } = started;
    await keep(url, 'kept/a', ['-']);
    const offer = 'offsets delivery session session-expiry=never';
    const session = await client(url, offer, 'session');
    session.stream.write(subscribe('kept/#', { acknowledged: true }, 'session'));
    await session.expect(FrameType.suback);
    await produce(started, 'kept.a', '0');
    const [live] = await session.messages(1);
    expect(placed(live!)).toBe('0 kept.a/0@1');
    session.stream.destroy();
    const back = await client(url, offer, 'session');
    expect(placed((await back.messages(1))[0]!)).toBe('0 kept.a/0@1 again');
    const without = await client(url, 'headers', 'without');
    without.stream.write(subscribe('kept/#', {}, 'without'));
    await without.expect(FrameType.suback);
    await produce(started, 'kept.a', '1');
    expect(placed((await without.messages(1))[0]!)).toBe('1 nowhere');
  });
});

describe('positions', () => {
  it('have headers beside the place, where the client agreed on them', async () => {
    const { url } = await broker();
    const said: FrameProperties = { headers: [['unit', 'C']] };
    await keep(url, 'kept/a', ['0'], said);
    for (const [offer, wanted] of [
      ['positions headers offsets', said],
      ['positions', {}],
    ] as const) {
      const raw = await client(url, offer, offer);
      raw.stream.write(subscribe('$replay/earliest/kept/#', {}, offer));
      await raw.expect(FrameType.position);
      await raw.expect(FrameType.suback);
      const [frame] = await raw.messages(1);
      const { said: got, rest } = told(frame!);
      expect([frame!.type & 0x0f, got]).toEqual([FrameType.replayed, wanted]);
      expect(parseReplayed(rest, 0, rest.length)).toMatchObject({ offset: 0 });
      expect(Buffer.from(rest.subarray(20)).toString()).toBe('0');
    }
  });

  it('are acknowledged where that was asked for; what was not is left to the next replay', async () => {
    const { url } = await broker();
    await keep(url, 'kept/a', ['0', '1', '2']);
    const offer = 'positions offsets delivery session session-expiry=never window=2';
    const filter = '$replay/earliest/kept/#';
    const raw = await client(url, offer, 'session');
    raw.stream.write(subscribe(filter, { acknowledged: true }, 'session'));
    await raw.expect(FrameType.position);
    await raw.expect(FrameType.suback);
    const got = await raw.messages(2);
    expect(got.map(({ type }) => type)).toEqual([0x2d, 0x2d]);
    await raw.expectSilence();
    raw.stream.write(encodeAck(acknowledged, 1));
    raw.stream.write(encodeReturn({ number: 2, afterMs: 0, reason: 'busy' }));
    // What is given back is none of the replay any more; it says where it stands itself.
    const more = await raw.messages(2);
    expect(more.map(({ type }) => type & ~properties).sort()).toEqual([0x22, 0x2d]);
    expect(more.filter(({ type }) => (type & 0x0f) === FrameType.publish).map(placed)).toEqual([
      '1 kept.a/0@1 again',
    ]);
    raw.stream.destroy();
    const back = await client(url, offer, 'session');
    // It was given back, so the session has it, and nothing else.
    expect((await back.messages(1)).map(placed)).toEqual(['1 kept.a/0@1 again']);
    const position = { reader: 0, partition: 0, offset: 1, sinceMs: Number.NEGATIVE_INFINITY };
    back.stream.write(encodePosition(filter, { ...position, logId: NO_LOG_ID, log: 'kept.a' }, 'session'));
    back.stream.write(asked(filter, { acknowledged: true }, GOES_ON));
    back.stream.write(encodeAck(acknowledged, 1));
    await back.expect(FrameType.position);
    await back.expect(FrameType.suback);
    expect(
      (await back.messages(2)).map(({ payload }) => Buffer.from(payload.subarray(20)).toString()),
    ).toEqual(['1', '2']);
  });
});

describe('the SDK', () => {
  it('acknowledges replays, and goes on at what it has not acknowledged', async () => {
    const faults = new Faults();
    const { url } = await broker(faults);
    await keep(url, 'kept/a', ['0', '1', '2', '3']);
    const sdk = await connectSdk(url, { clientId: 'sdk', reconnect: { minDelayMs: 1, maxDelayMs: 5 } });
    onTestFinished(() => sdk.close());
    const got: Message[] = [];
    await sdk.subscribe('kept/#', (message) => void got.push(message), { from: 'earliest', ack: 'manual' });
    await eventually(() => got.length === 4, 'the replay');
    for (const index of [0, 2]) got[index]!.ack();
    got[3]!.retry({ after: 0 });
    await eventually(() => got.length === 5, 'what was given back');
    expect(got[4]).toMatchObject({ offset: 3, log: 'kept.a', partition: 0, redelivered: true });
    got[4]!.reject('no');
    await sdk.ping();
    const disconnected = new Promise((resolve) => sdk.on('disconnect', resolve));
    faults.cut('sdk');
    await disconnected;
    await eventually(() => got.length === 8, 'what had no answer, and what came behind it');
    expect(got.slice(5).map((message) => `${message.text()} ${message.offset}`)).toEqual([
      '1 1',
      '2 2',
      '3 3',
    ]);
  });
});
