import { describe, expect, it } from 'vitest';
import { openLogs, turn } from '../../test/support/logs.ts';
import { records } from '../batch/read.ts';
import { parseBatchHeader } from '../batch/record-batch.ts';
import type { Source } from '../broker/delivery/channel.ts';
import { type Encoding, type Message, Publication } from '../broker/delivery/publication.ts';
import { Receipt } from '../broker/delivery/receipt.ts';
import { captureBatchBytes, maxCaptureWaitingBytes } from '../limits/live.ts';
import type { Logs } from '../log/logs.ts';
import { Metrics } from '../observe/metrics.ts';
import { Capture, type CaptureParts, MIXED_CONFIG } from './capture.ts';
import { messageOf } from './records.ts';

/** A run is the number of a list of messages. */
const runs: Message[][] = [];
const encoding: Encoding = {
  name: 'test',
  decode: (run) => runs[new DataView(run.buffer, run.byteOffset).getUint32(0)],
  encode() {
    throw new Error('nobody encodes here');
  },
};

function publication(messages: Message[]): Publication {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, runs.push(messages) - 1);
  return new Publication(encoding).set(bytes, 0, 4, messages.length);
}

function message(topic: string, text: string | Uint8Array): Message {
  return { topic, payload: Buffer.from(text), clientId: 'me' };
}

class Feeder implements Source {
  pauses = 0;
  pause(): void {
    this.pauses++;
  }
  resume(): void {
    this.pauses--;
  }
}

async function capturing(logName?: string, maxPartitions?: number, parts: Partial<CaptureParts> = {}) {
  const { logs, store, log } = await openLogs({ maxPartitions });
  const metrics = new Metrics();
  const capture = new Capture({ logs, metrics, log, logName, ...parts });
  return {
    logs,
    store,
    log,
    capture,
    lost: () => metrics.snapshot().log_messages_lost_total,
    publish(topic: string, text: string | Uint8Array): void {
      capture.deliver(publication([message(topic, text)]));
    },
    /** Publishes a message whose publisher wants to know. */
    publishSafely(topic: string, text = 'x'): Receipt {
      const receipt = new Receipt();
      capture.deliver(Publication.ofMessages([message(topic, text)], { receipt }));
      return receipt;
    },
  };
}

/** The batches of a log, each as its messages. */
async function kept(logs: Logs, name: string): Promise<string[][]> {
  const batches = await logs.topic(name)!.partitions[0].read(0, 1e9);
  return batches.map(({ bytes }) =>
    [...records(bytes, parseBatchHeader(bytes, 0), 1e9)].map((record) => {
      const { topic, payload, clientId } = messageOf(record, name);
      const key = record.key === null ? '' : `${Buffer.from(record.key)}: `;
      return `${key}${topic} ${Buffer.from(payload)} ${clientId}`;
    }),
  );
}

describe('capturing live messages', () => {
  it('makes one batch for each log and turn, in order', async () => {
    const { logs, capture, publish } = await capturing();
    publish('a/b', '1');
    publish('c', '2');
    capture.deliver(publication([message('a/b', '3'), message('c', '4'), message('a/b', '5')]));
    await turn();
    publish('a/b', '6');
    await capture.drained();
    expect(await kept(logs, 'a.b')).toEqual([['a/b 1 me', 'a/b 3 me', 'a/b 5 me'], ['a/b 6 me']]);
    expect(await kept(logs, 'c')).toEqual([['c 2 me', 'c 4 me']]);
    expect([...logs.topics()].map(({ configs }) => configs)).toEqual([{}, {}]);
  });

  // A turn in which much came was one batch of any size, and each replay that waits for its client in the middle holds it.
  it('makes several batches of a turn in which much came, none much larger than its bound', async () => {
    const { logs, capture, publishSafely } = await capturing();
    const texts = Array.from({ length: 20 }, (_, index) => `${index} `.padEnd(captureBatchBytes / 4, 'x'));
    const receipts = texts.map((text) => publishSafely('a', text));
    await capture.drained();
    expect(receipts.every(({ isSettled, isLost }) => isSettled && !isLost)).toBe(true);
    const batches = await logs.topic('a')!.partitions[0].read(0, 1e9);
    expect(batches.map(({ bytes }) => bytes.length < 1.3 * captureBatchBytes)).toEqual(
      Array.from({ length: 5 }, () => true),
    );
    expect((await kept(logs, 'a')).flat()).toEqual(texts.map((text) => `a ${text} me`));
  });

  it('keeps the order while a log is being created', async () => {
    const { logs, store, capture, publish } = await capturing();
    for (let number = 0; number < 20; number++) {
      publish('a', String(number));
      if (number % 3 === 0) await turn();
    }
    await capture.drained();
    expect((await kept(logs, 'a')).flat()).toEqual(
      Array.from({ length: 20 }, (_, number) => `a ${number} me`),
    );
    expect(store.created).toBe(1);
  });

  it('gives topics that share a log what they are called, and says so in its config', async () => {
    const { logs, capture, publish } = await capturing();
    publish('a/b', '1');
    await capture.drained();
    expect(logs.topic('a.b')!.configs[MIXED_CONFIG]).toBeUndefined();
    publish('a.b', '2');
    await capture.drained();
    expect(await kept(logs, 'a.b')).toEqual([['a/b 1 me'], ['a.b 2 me']]);
    expect(logs.topic('a.b')!.configs[MIXED_CONFIG]).toBe('true');
  });

  it('puts everything into one log where that is named, keyed by topic', async () => {
    const { logs, capture, publish } = await capturing('all');
    publish('a/b', '1');
    publish('c', '2');
    publish('all', '3');
    await capture.drained();
    expect(await kept(logs, 'all')).toEqual([['a/b: a/b 1 me', 'c: c 2 me', 'all: all 3 me']]);
    expect(logs.topic('all')!.configs[MIXED_CONFIG]).toBe('true');
  });

  // The config was taken for written although the store had refused it, so that no later start knew of it.
  it('says that a log has several topics as soon as the store takes it', async () => {
    const { logs, store, capture, publish } = await capturing('all');
    await logs.topicOrNew('all');
    store.isFailing = true;
    publish('a', '1');
    await capture.drained();
    expect(logs.topic('all')!.configs[MIXED_CONFIG]).toBeUndefined();
    store.isFailing = false;
    publish('a', '2');
    await capture.drained();
    expect((await store.open()).topics[0].configs[MIXED_CONFIG]).toBe('true');
    expect(await kept(logs, 'all')).toEqual([['a: a 2 me']]);
  });

  it('copies what it takes: the publication is used again', async () => {
    const { logs, capture } = await capturing();
    const payload = Buffer.from('before');
    capture.deliver(publication([{ topic: 'a', payload, clientId: 'me' }]));
    payload.fill('!');
    await capture.drained();
    expect(await kept(logs, 'a')).toEqual([['a before me']]);
  });

  it('carries empty and large payloads, and more topics than builders are kept for', async () => {
    const { logs, capture, publish } = await capturing();
    publish('empty', '');
    publish('large', new Uint8Array(300_000).fill(65));
    await capture.drained();
    publish('large', 'small');
    for (let round = 0; round < 2; round++) {
      for (let number = 0; number < 1100; number++) publish(`t/${number}`, String(round));
      await capture.drained();
    }
    expect(await kept(logs, 'empty')).toEqual([['empty  me']]);
    expect(await kept(logs, 'large')).toEqual([[`large ${'A'.repeat(300_000)} me`], ['large small me']]);
    for (const number of [0, 1023, 1024, 1099]) {
      const topic = `t/${number}`;
      expect(await kept(logs, `t.${number}`)).toEqual([[`${topic} 0 me`], [`${topic} 1 me`]]);
    }
  });

  it('writes the largest time of a batch, whatever the clock does between', async () => {
    const { logs, capture, publish } = await capturing();
    const before = Date.now();
    publish('a', '1');
    await capture.drained();
    const [batch] = await logs.topic('a')!.partitions[0].read(0, 1e6);
    expect(batch.maxTimestamp).toBe(parseBatchHeader(batch.bytes, 0).maxTimestamp);
    expect(batch.maxTimestamp).toBeGreaterThanOrEqual(before);
  });
});

describe('a store that is slow', () => {
  it('makes publishers wait, once, until less waits', async () => {
    const { logs, store, capture, publish } = await capturing();
    await logs.topicOrNew('a');
    const feeder = new Feeder();
    store.hold();
    const part = new Uint8Array(maxCaptureWaitingBytes / 4);
    for (let count = 0; count < 4; count++) {
      expect(capture.isFull).toBe(false);
      publish('a', part);
      await turn();
    }
    expect(capture.isFull).toBe(true);
    capture.holdBack(feeder);
    capture.holdBack(feeder);
    expect(feeder.pauses).toBe(1);
    store.release();
    await capture.drained();
    expect(capture.isFull).toBe(false);
    expect(feeder.pauses).toBe(0);
    capture.holdBack(feeder);
    expect(feeder.pauses).toBe(1);
  });

  it('is waited for by whoever wants everything to last', async () => {
    const { logs, store, capture, publish } = await capturing();
    store.hold();
    publish('a', '1');
    let isDrained = false;
    const drained = capture.drained().then(() => {
      isDrained = true;
    });
    await turn();
    publish('a', '2');
    await turn();
    expect(isDrained).toBe(false);
    store.release();
    await drained;
    expect((await kept(logs, 'a')).flat()).toEqual(['a 1 me', 'a 2 me']);
  });
});

describe('a store that fails', () => {
  it('stops no live traffic; what the log lacks is counted, and told once per episode', async () => {
    const { logs, store, log, capture, publish, lost } = await capturing();
    const feeder = new Feeder();
    store.isFailing = true;
    for (let number = 0; number < 5; number++) {
      capture.deliver(publication([message('a', 'x'), message('b/c', 'x')]));
      capture.holdBack(feeder);
      await turn();
    }
    await capture.drained();
    expect(lost()).toBe(10);
    expect(feeder.pauses).toBe(0);
    expect(capture.isFull).toBe(false);
    expect(log.lines).toEqual(['error: live messages do not reach the log']);
    expect(log.fields).toEqual([{ code: 'store-unavailable', log: 'a', error: 'the disk is on fire' }]);

    store.isFailing = false;
    publish('a', 'kept');
    await capture.drained();
    expect(await kept(logs, 'a')).toEqual([['a kept me']]);
    expect(log.lines.slice(1)).toEqual(['info: live messages reach the log again']);
    expect(log.fields[1]).toEqual({ lost: 10 });

    store.isFailing = true;
    publish('a', 'x');
    await capture.drained();
    expect(lost()).toBe(11);
    expect(log.lines.slice(2)).toEqual(['error: live messages do not reach the log']);
  });

  // The append was not waited for while the config failed, and its rejection ended the whole broker.
  it('ends nothing where a config and a batch fail together', async () => {
    const { logs, store, capture, publish, lost } = await capturing('all');
    await logs.topicOrNew('all');
    const unhandled: unknown[] = [];
    const keep = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', keep);
    store.isFailing = true;
    publish('a', '1');
    await capture.drained();
    await turn();
    await turn();
    process.off('unhandledRejection', keep);
    expect([unhandled, lost()]).toEqual([[], 1]);
  });
});

describe('more topics than there is room for logs', () => {
  it('are told once and counted, and those that have a log go on', async () => {
    const { logs, log, capture, publish, lost } = await capturing(undefined, 2);
    for (let round = 0; round < 3; round++) {
      for (const topic of ['a', 'b', 'c', 'd/e f']) publish(topic, String(round));
      await capture.drained();
    }
    expect([...logs.topics()].map(({ name }) => name)).toEqual(['a', 'b']);
    expect(await kept(logs, 'a')).toEqual([['a 0 me'], ['a 1 me'], ['a 2 me']]);
    expect(lost()).toBe(6);
    expect(log.lines).toEqual(['error: live messages are not kept: there are too many logs']);
    expect(log.fields).toEqual([
      {
        code: 'too-many-logs',
        log: 'c',
        error: 'the logs have 2 partitions, and there is room for 2; delete topics that nobody needs',
      },
    ]);
    // It is told again after there was room.
    await logs.deleteTopic(logs.topic('a')!);
    for (const topic of ['c', 'd']) {
      publish(topic, 'more');
      await capture.drained();
    }
    expect(await kept(logs, 'c')).toEqual([['c more me']]);
    expect([lost(), log.lines.length]).toEqual([7, 2]);
  });
});

describe('a message whose publisher wants to know', () => {
  function state({ isSettled, problem, isLost }: Receipt): string {
    if (!isSettled) return 'waits';
    return problem === undefined ? 'safe' : `${isLost ? 'lost' : 'not safe'}: ${problem.code}`;
  }

  it('is safe when its batch lasts, also in a log that is created for it', async () => {
    const { logs, store, publish, publishSafely } = await capturing();
    store.hold();
    const receipts = [publishSafely('a'), publishSafely('a'), publishSafely('b')];
    publish('a', 'of somebody who does not want to know');
    await turn();
    receipts.push(publishSafely('a'));
    await turn();
    expect(receipts.map(state)).toEqual(['waits', 'waits', 'waits', 'waits']);
    store.release();
    await expect.poll(() => receipts.map(state)).toEqual(['safe', 'safe', 'safe', 'safe']);
    expect((await kept(logs, 'a')).flat()).toHaveLength(4);
  });

  it('is lost where the store fails; those of other logs are not', async () => {
    const { logs, store, capture, publish, publishSafely, lost } = await capturing(undefined, 1);
    await logs.topicOrNew('a');
    const safe = publishSafely('a');
    const withoutRoom = publishSafely('b');
    await capture.drained();
    store.isFailing = true;
    const failed = publishSafely('a');
    publish('a', 'x');
    await capture.drained();
    expect([safe, withoutRoom, failed].map(state)).toEqual([
      'safe',
      'lost: too-many-logs',
      'lost: store-unavailable',
    ]);
    expect(failed.problem!.message).toBe('store-unavailable: the disk is on fire');
    expect(lost()).toBe(3);
    // And it can be given again.
    store.isFailing = false;
    const again = publishSafely('a');
    await capture.drained();
    expect(state(again)).toBe('safe');
  });

  it('is held by nobody where it is not to be kept', async () => {
    const { logs, capture, publishSafely } = await capturing(undefined, 10, {
      createsNone: true,
      isWanted: (topic) => topic !== 'of another',
    });
    const topic = await logs.topicOrNew('of_another');
    await logs.topicOrNew('a');
    expect([publishSafely('of another'), publishSafely('no log')].map(state)).toEqual(['safe', 'safe']);
    // It goes with its log, if that is deleted before it is written.
    const receipt = publishSafely('a');
    expect(state(receipt)).toBe('waits');
    await Promise.all([logs.deleteTopic(logs.topic('a')!), logs.deleteTopic(topic)]);
    await capture.drained();
    expect(state(receipt)).toBe('safe');
  });
});
