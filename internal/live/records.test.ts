import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildBatch } from '../batch/build.ts';
import { records } from '../batch/read.ts';
import { parseBatchHeader } from '../batch/record-batch.ts';
import type { RecordHeader } from '../batch/record-cursor.ts';
import type { Message } from '../broker/delivery/publication.ts';
import { logNameOf } from '../log/names.ts';
import { isReservedTopic, topicNameProblem } from '../topic.ts';
import { headersOf, messageOf } from './records.ts';

/** A record as it comes back from a batch. */
function stored(value: Uint8Array | null, headers: readonly RecordHeader[]) {
  const bytes = buildBatch([{ timestamp: 0, key: null, value, headers }]);
  return [...records(bytes, parseBatchHeader(bytes, 0), 1e9)][0];
}

function throughRecord(message: Message, logName: string): Message {
  return messageOf(stored(message.payload, headersOf(message, logName)), logName);
}

const publishable = fc
  .string({ unit: 'binary', minLength: 1 })
  .filter((topic) => topicNameProblem(topic) === undefined && !isReservedTopic(topic));

describe('a message that was a record', () => {
  it('is what it was, whatever its topic, payload and publisher', () => {
    fc.assert(
      fc.property(
        publishable,
        fc.uint8Array(),
        fc.string({ unit: 'binary' }),
        fc.boolean(),
        (topic, payload, clientId, isOwnLog) => {
          const { payload: after, ...rest } = throughRecord(
            { topic, payload, clientId },
            isOwnLog ? logNameOf(topic) : 'all',
          );
          expect(rest).toEqual({ topic, clientId });
          expect([...after]).toEqual([...payload]);
        },
      ),
    );
  });

  it.each(['a.b', 'a b', '/', '.', '\ufeffa', 'ä/ö', 'x'.repeat(300), 'a_b', 'sensors/temp', '💧/💧'])(
    'has its topic again: %j',
    (topic) => {
      const message = { topic, payload: new Uint8Array(0), clientId: '\ufeffme' };
      expect(throughRecord(message, logNameOf(topic))).toEqual(message);
    },
  );

  it('says its topic only where the log does not', () => {
    const message = { topic: 'a/b', payload: new Uint8Array(0), clientId: 'me' };
    expect(headersOf(message, 'a.b').map(({ key }) => key)).toEqual(['tinymq.client']);
    expect(headersOf(message, 'all').map(({ key }) => key)).toEqual(['tinymq.client', 'tinymq.topic']);
  });
});

describe('the message of a record that somebody else wrote', () => {
  it('has the topic of its log and no publisher', () => {
    const record = stored(Buffer.from('x'), [
      { key: 'trace', value: Buffer.from('1') },
      { key: 'tinymq.client', value: null },
      { key: 'tinymq.topic', value: null },
    ]);
    const { payload, ...rest } = messageOf(record, 'a.b');
    const properties = { userProperties: [['trace', '1']] };
    expect(rest).toEqual({ topic: 'a/b', clientId: '', properties });
    expect(Buffer.from(payload).toString()).toBe('x');
  });

  it('has an empty payload where the record has none', () => {
    expect(messageOf(stored(null, []), 'a').payload).toHaveLength(0);
  });

  it.each(['', '$SYS/secret', 'a/+', '#', 'a\0b', 'x'.repeat(65_536)])(
    'does not have a topic that nobody can publish to: %j',
    (topic) => {
      const record = stored(null, [{ key: 'tinymq.topic', value: Buffer.from(topic) }]);
      expect(messageOf(record, 'a.b').topic).toBe('a/b');
    },
  );

  it('does not have a publisher whose id no frame could carry', () => {
    const record = stored(null, [{ key: 'tinymq.client', value: Buffer.alloc(65_536, 'x') }]);
    expect(messageOf(record, 'a').clientId).toBe('');
    // Three bytes for each that is not UTF-8.
    const invalid = stored(null, [{ key: 'tinymq.client', value: Buffer.alloc(30_000, 0xff) }]);
    expect(Buffer.byteLength(messageOf(invalid, 'a').clientId)).toBeLessThanOrEqual(65_535);
  });
});
