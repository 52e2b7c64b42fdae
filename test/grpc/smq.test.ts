import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Status } from '../../internal/protocol/grpc/status.ts';
import { appendTexts } from '../support/logs.ts';
import { requestOf, type TestClient } from './grpc-client.ts';
import { openTestDoor, type TestDoor } from './grpc-door.ts';

/*
 * What the service of SMQ answers, and with which words it refuses: its clients know no others. Each test has topics
 * of its own on one door.
 */

let door: TestDoor;
let client: TestClient;

beforeAll(async () => {
  door = await openTestDoor();
  client = door.client;
});
afterAll(() => door.close());

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

async function topicWith(name: string, texts: readonly string[]): Promise<void> {
  await client.unary('CreateTopic', { topic: name });
  for (const text of texts) await client.unary('Produce', { topic: name, message: bytes(text) });
}

describe('topics', () => {
  it('are created once, and again without harm', async () => {
    await topicWith('again', ['a']);
    await client.unary('CreateTopic', { topic: 'again' });
    expect(await client.unary('GetLatestOffset', { topic: 'again' })).toEqual({ offset: 1n });
  });

  it.each(['a', '0', 'A_b', 'select', 'example-topic', 'a.b', 'c/d', 'x'.repeat(35)])(
    'may be called %s',
    async (topic) => {
      await client.unary('CreateTopic', { topic });
      expect(await client.unary('Produce', { topic, message: bytes('x') })).toEqual({ offset: 1n });
    },
  );

  it.each(['', ' ', 'a b', 'ä', 'a\n', 'x'.repeat(36), '.', '..', '/', './', 'a#', 'a+', '$a'])(
    'may not be called %j',
    async (topic) => {
      await expect(client.unary('CreateTopic', { topic })).rejects.toThrow(`2: invalid topic name: ${topic}`);
    },
  );

  it('that differ in case differ', async () => {
    await topicWith('Case', ['a', 'b']);
    await topicWith('case', ['c']);
    expect(await client.unary('GetLatestOffset', { topic: 'Case' })).toEqual({ offset: 2n });
    expect(await client.unary('GetLatestOffset', { topic: 'case' })).toEqual({ offset: 1n });
  });

  it('are logs of the broker, with one partition', async () => {
    await topicWith('house/kitchen', ['a']);
    expect(door.logs.topic('house.kitchen')!.partitions).toHaveLength(1);
    expect(await client.unary('GetLatestOffset', { topic: 'house.kitchen' })).toEqual({ offset: 1n });
  });

  it('of Kafka with several partitions are served in part', async () => {
    const topic = await door.logs.createTopic('many', 3, {});
    await appendTexts(topic, ['a']);
    expect(await client.unary('Consume', { topic: 'many', offset: 1 })).toEqual({
      message: bytes('a'),
      offset: 1n,
    });
  });
});

describe('refusals', () => {
  const full = 'refusals-full';
  const empty = 'refusals-empty';
  const deleted = 'refusals-deleted';

  beforeAll(async () => {
    await topicWith(full, ['a', 'b', 'c']);
    await topicWith(empty, []);
    await topicWith(deleted, ['a', 'b']);
    await client.unary('DeleteUntilOffset', { topic: deleted, offset: 2 });
  });

  it.each<[string, object, string]>([
    ['Produce', { topic: 'none' }, 'topic none does not exist'],
    ['Produce', { topic: '' }, 'topic  does not exist'],
    ['Consume', { topic: 'none', offset: 1 }, 'topic none does not exist'],
    ['Consume', { topic: 'n ö', offset: 1 }, 'topic n ö does not exist'],
    ['Consume', { topic: full, offset: 4 }, 'offset is greater than the latest offset'],
    ['Consume', { topic: full, offset: 2n ** 62n }, 'offset is greater than the latest offset'],
    ['Consume', { topic: full, offset: 0 }, 'no message at offset'],
    ['Consume', { topic: full, offset: -(2n ** 63n) }, 'no message at offset'],
    ['Consume', { topic: empty, offset: 1 }, 'offset is greater than the latest offset'],
    ['Consume', { topic: deleted, offset: 2 }, 'no message at offset'],
    ['GetLatestOffset', { topic: 'none' }, 'topic none does not exist'],
    ['GetLatestOffset', { topic: empty }, 'topic is empty'],
    ['GetLatestOffset', { topic: deleted }, 'topic is empty'],
    ['GetEarliestOffset', { topic: 'none' }, 'topic none does not exist'],
    ['GetEarliestOffset', { topic: empty }, 'topic is empty'],
    ['DeleteUntilOffset', { topic: 'none', offset: 1 }, 'topic none does not exist'],
    ['BulkRetrieve', { topic: 'none' }, 'topic none does not exist'],
    ['StreamConsume', { topic: 'none' }, 'topic none does not exist'],
    ['StreamProduce', { topic: 'none' }, 'topic none does not exist'],
  ])('%s %o', async (method, request, text) => {
    const { status, message } = await client.call(method, [request]).ended;
    expect([status, message]).toEqual([Status.UNKNOWN, text]);
  });
});

describe('messages', () => {
  it('get offsets from 1 on, without gaps, whoever produces them', async () => {
    await topicWith('many-producers', []);
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, index) =>
        client.unary('Produce', { topic: 'many-producers', message: bytes(String(index)) }),
      ),
    );
    const offsets = answers.map(({ offset }) => Number(offset)).sort((a, b) => a - b);
    expect(offsets).toEqual(Array.from({ length: 64 }, (_, index) => index + 1));
    for (const [index, { offset }] of answers.entries()) {
      const found = await client.unary('Consume', { topic: 'many-producers', offset });
      expect(Buffer.from(found.message).toString()).toBe(String(index));
    }
  });

  it('may be empty', async () => {
    await topicWith('empties', ['', 'a', '']);
    expect(await client.unary('Consume', { topic: 'empties', offset: 1 })).toEqual({
      message: bytes(''),
      offset: 1n,
    });
    expect((await client.unary('BulkRetrieve', { topic: 'empties' })).messages).toHaveLength(3);
  });

  it('that were deleted leave their offsets behind', async () => {
    await topicWith('counts-on', ['a', 'b', 'c']);
    for (const offset of [0, -5]) await client.unary('DeleteUntilOffset', { topic: 'counts-on', offset });
    expect(await client.unary('GetEarliestOffset', { topic: 'counts-on' })).toEqual({ offset: 1n });
    await client.unary('DeleteUntilOffset', { topic: 'counts-on', offset: 2 });
    expect(await client.unary('GetEarliestOffset', { topic: 'counts-on' })).toEqual({ offset: 3n });
    await client.unary('DeleteUntilOffset', { topic: 'counts-on', offset: 99 });
    expect(await client.unary('Produce', { topic: 'counts-on', message: bytes('d') })).toEqual({
      offset: 4n,
    });
  });
});

describe('BulkRetrieve', () => {
  const topic = 'bulk';
  beforeAll(() => topicWith(topic, ['a', 'b', 'c', 'd', 'e']));

  it.each<[number | bigint, number, number[], number | bigint]>([
    [0, 2, [1, 2], 3],
    [2, 2, [3, 4], 5],
    [2, 0, [3, 4, 5], 6],
    [2, -1, [3, 4, 5], 6],
    [-9, 1, [1], 2],
    [5, 10, [], 5],
    [6, 10, [], 6],
    [2n ** 63n - 1n, 10, [], 2n ** 63n - 1n],
    [-(2n ** 63n), 1, [1], 2],
  ])('behind %s, at most %s', async (startOffset, limit, offsets, nextOffset) => {
    const answer = await client.unary('BulkRetrieve', { topic, startOffset, limit });
    expect(answer.messages.map(({ offset }: { offset: bigint }) => Number(offset))).toEqual(offsets);
    expect(
      answer.messages.map(({ message }: { message: Uint8Array }) => String(Buffer.from(message))),
    ).toEqual(offsets.map((offset) => 'abcde'[offset - 1]));
    expect([answer.count, answer.nextOffset]).toEqual([offsets.length, BigInt(nextOffset)]);
  });
});

describe('StreamProduce', () => {
  it('answers once with the last offset, whatever topics it names', async () => {
    await topicWith('stream-a', ['x']);
    await topicWith('stream-b', []);
    const call = client.call('StreamProduce', [
      { topic: 'stream-a', message: bytes('1') },
      { topic: 'stream-b', message: bytes('2') },
      { topic: 'stream-a', message: bytes('3') },
    ]);
    expect((await call.ended).status).toBe(Status.OK);
    expect(call.responses).toEqual([{ offset: 3n }]);
    expect(await client.unary('GetLatestOffset', { topic: 'stream-b' })).toEqual({ offset: 1n });
  });

  it('takes no message as well', async () => {
    const call = client.call('StreamProduce', []);
    expect((await call.ended).status).toBe(Status.OK);
    expect(call.responses).toEqual([{ offset: 0n }]);
  });

  it('shows each message at once', async () => {
    await topicWith('stream-live', []);
    const producer = client.open('StreamProduce');
    const consumer = client.call('StreamConsume', [{ topic: 'stream-live', offset: 1 }]);
    producer.stream.write(requestOf('StreamProduce', { topic: 'stream-live', message: bytes('1') }));
    await consumer.received(1);
    producer.stream.write(requestOf('StreamProduce', { topic: 'stream-live', message: bytes('2') }));
    expect(await consumer.received(2)).toEqual([
      { message: bytes('1'), offset: 1n },
      { message: bytes('2'), offset: 2n },
    ]);
    producer.stream.end();
    expect((await producer.ended).status).toBe(Status.OK);
    consumer.stream.close();
  });

  it('ends with the first topic that does not exist; what came before stays', async () => {
    await topicWith('stream-ends', []);
    const call = client.open('StreamProduce');
    for (const topic of ['stream-ends', 'none', 'stream-ends']) {
      call.stream.write(requestOf('StreamProduce', { topic, message: bytes('x') }));
    }
    expect(await call.ended).toMatchObject({ status: Status.UNKNOWN, message: 'topic none does not exist' });
    expect(await client.unary('GetLatestOffset', { topic: 'stream-ends' })).toEqual({ offset: 1n });
  });

  it('keeps what was sent when it is cancelled', async () => {
    await topicWith('stream-cancelled', []);
    const call = client.open('StreamProduce');
    call.stream.write(requestOf('StreamProduce', { topic: 'stream-cancelled', message: bytes('x') }));
    const consumer = client.call('StreamConsume', [{ topic: 'stream-cancelled', offset: 1 }]);
    await consumer.received(1);
    call.stream.close(8);
    await expect(call.ended).rejects.toThrow('the stream closed with 8');
    consumer.stream.close();
  });

  it('takes a hundred thousand messages in their order', async () => {
    await topicWith('stream-many', []);
    const messages = Array.from({ length: 100_000 }, (_, index) => ({
      topic: 'stream-many',
      message: bytes(`message ${index}`),
    }));
    const call = client.call('StreamProduce', messages);
    expect((await call.ended).status).toBe(Status.OK);
    expect(call.responses).toEqual([{ offset: 100_000n }]);
    const consumer = client.call('StreamConsume', [{ topic: 'stream-many', offset: 0 }]);
    const received = await consumer.received(100_000);
    consumer.stream.close();
    expect(received.every(({ offset }, index) => offset === BigInt(index + 1))).toBe(true);
    expect(String(Buffer.from(received[99_999].message as Uint8Array))).toBe('message 99999');
  });
});

describe('StreamConsume', () => {
  it('follows a topic that is empty at first', async () => {
    await topicWith('follow', []);
    const call = client.call('StreamConsume', [{ topic: 'follow', offset: 0 }]);
    for (const text of ['a', '', 'b'])
      await client.unary('Produce', { topic: 'follow', message: bytes(text) });
    expect(await call.received(3)).toEqual([
      { message: bytes('a'), offset: 1n },
      { message: bytes(''), offset: 2n },
      { message: bytes('b'), offset: 3n },
    ]);
    call.stream.close();
  });

  it.each([
    [-7, 3],
    [1, 3],
    [3, 3],
    [4, 4],
    [6, 6],
  ])('from %s on begins at %s where the first two are deleted', async (offset, first) => {
    const topic = `from-${Math.abs(offset)}`;
    await topicWith(topic, ['a', 'b', 'c', 'd']);
    await client.unary('DeleteUntilOffset', { topic, offset: 2 });
    const call = client.call('StreamConsume', [{ topic, offset }]);
    await client.unary('Produce', { topic, message: bytes('e') });
    await client.unary('Produce', { topic, message: bytes('f') });
    expect((await call.received(1))[0]).toMatchObject({ offset: BigInt(first) });
    call.stream.close();
  });
});
