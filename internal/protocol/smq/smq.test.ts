import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENVELOPE_BYTES, MessageReader } from '../grpc/envelope.ts';
import { ProtobufError, readMessage } from '../grpc/read-message.ts';
import { type MessageType, protoName } from '../grpc/schema.ts';
import { encodeEnveloped, encodeMessage } from '../grpc/write-message.ts';
import { isTopicName, logNameOfTopic } from './names.ts';
import { ProduceRequestCursor } from './produce-request.ts';
import { encodeProduceResponse, HEARTBEAT, MessagesWriter } from './responses.ts';
import {
  BulkRetrieveResponse,
  ConsumeResponse,
  ProduceRequest,
  ProduceResponse,
  SuhaibMessageQueue,
  smqFile,
} from './smq.ts';

const proto = readFileSync(new URL('smq.proto', import.meta.url), 'utf8').replaceAll(/\/\/.*/g, '');

describe('smq.proto', () => {
  it('says the same as the table of messages', () => {
    const found = [...proto.matchAll(/message (\w+) \{([^}]*)\}/g)].map(([, name, body]) => [
      name,
      fieldsOf(body),
    ]);
    const table = smqFile.messages.map((type) => [type.name.replace('smq.', ''), rowsOf(type)]);
    expect(table).toEqual(found);
  });

  it('says the same as the table of methods', () => {
    const found = [...proto.matchAll(/rpc (\w+)\((stream )?(\w+)\) returns \((stream )?(\w+)\);/g)].map(
      ([, name, clientStreams, request, serverStreams, response]) =>
        [name, Boolean(clientStreams), `smq.${request}`, Boolean(serverStreams), `smq.${response}`] as const,
    );
    const table = SuhaibMessageQueue.methods.map((method) => [
      method.name,
      method.clientStreams ?? false,
      method.request.name,
      method.serverStreams ?? false,
      method.response.name,
    ]);
    expect(found).toHaveLength(10);
    expect(table).toEqual(found);
  });

  it('has the package of the table', () => {
    expect(proto).toContain(`package ${smqFile.packageName};`);
    expect(proto).toContain(`go_package = "${smqFile.goPackage}"`);
  });
});

describe('the quick way to a ProduceRequest', () => {
  const cursor = new ProduceRequestCursor();
  function quickly(bytes: Uint8Array, start = 0, end = bytes.length) {
    cursor.read(bytes, start, end);
    return {
      topic: Buffer.from(bytes.subarray(cursor.topicStart, cursor.topicEnd)).toString(),
      message: new Uint8Array(bytes.subarray(cursor.messageStart, cursor.messageEnd)),
    };
  }

  it('finds what the table finds', () => {
    const request = fc.record({ topic: fc.string(), message: fc.uint8Array({ maxLength: 300 }) });
    fc.assert(
      fc.property(
        fc.array(request, { minLength: 1, maxLength: 3 }),
        fc.uint8Array({ maxLength: 5 }),
        (parts, around) => {
          const bytes = Buffer.concat(parts.map((part) => encodeMessage(ProduceRequest, part)));
          const lying = Buffer.concat([around, bytes, around]);
          const expected = readMessage(ProduceRequest, new Uint8Array(bytes));
          expect(quickly(lying, around.length, around.length + bytes.length)).toEqual(expected);
        },
      ),
    );
  });

  it('refuses what the table refuses', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 30 }),
      fc.array(fc.constantFrom(0x0a, 0x12, 0x01, 0x00, 0x80, 0x8a, 0x7b, 0x7c, 0x20), { maxLength: 12 }),
    );
    fc.assert(
      fc.property(bytes, (given) => {
        const input = Uint8Array.from(given);
        const expected = outcome(() => readMessage(ProduceRequest, input));
        // It does not look at the text of the topic; whoever looks the topic up does.
        if (expected === 'string field contains invalid UTF-8') return;
        expect(outcome(() => quickly(input))).toEqual(expected);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the quick ways to write', () => {
  it('a ProduceResponse', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (offset) => {
        expect(encodeProduceResponse(offset)).toEqual(encodeEnveloped(ProduceResponse, { offset }));
      }),
    );
    expect(encodeProduceResponse(0)).toEqual(encodeEnveloped(ProduceResponse, {}));
  });

  it('the heartbeat', () => {
    expect(HEARTBEAT).toEqual(encodeEnveloped(ConsumeResponse, { offset: -1 }));
  });

  const messages = fc.array(
    fc.record({
      message: fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.uint8Array({ minLength: 5_000, maxLength: 6_000 }),
      ),
      offset: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    }),
    { maxLength: 30 },
  );

  it('many ConsumeResponses, in parts', () => {
    fc.assert(
      fc.property(messages, fc.nat(3), (written, reserved) => {
        const writer = new MessagesWriter(4_096);
        writer.reserve(reserved * 10_000);
        const taken: Uint8Array[] = [];
        for (const [index, { message, offset }] of written.entries()) {
          writer.consumeResponse(
            Buffer.concat([message, message]),
            message.length,
            2 * message.length,
            offset,
          );
          if (index % 7 === 6) {
            const { bytes } = writer;
            const pieces = writer.take();
            expect(pieces.reduce((sum, piece) => sum + piece.length, 0)).toBe(bytes);
            taken.push(...pieces);
          }
        }
        taken.push(...writer.take());
        const expected = written.map((message) => encodeEnveloped(ConsumeResponse, message));
        expect(Buffer.concat(taken).equals(Buffer.concat(expected))).toBe(true);
      }),
    );
  });

  it('the messages of a BulkRetrieveResponse', () => {
    fc.assert(
      fc.property(messages, (written) => {
        const writer = new MessagesWriter(4_096);
        for (const { message, offset } of written)
          writer.retrievedMessage(message, 0, message.length, offset);
        const expected = encodeMessage(BulkRetrieveResponse, { messages: written });
        expect(writer.bytes).toBe(expected.length);
        expect(Buffer.concat(writer.take()).equals(expected)).toBe(true);
      }),
    );
  });

  it('never change what was taken', () => {
    const writer = new MessagesWriter(4_096);
    writer.consumeResponse(Uint8Array.of(1), 0, 1, 1);
    const first = Buffer.concat(writer.take());
    const pieces = [first, Buffer.from(first)];
    writer.consumeResponse(Uint8Array.of(2), 0, 1, 2);
    expect(pieces[0]).toEqual(pieces[1]);
    const read: number[] = [];
    const reader = new MessageReader(100, (bytes, start) => read.push(bytes[start + 2]));
    reader.push(first);
    reader.push(Buffer.concat(writer.take()));
    expect(read).toEqual([1, 2]);
    expect(first.length).toBe(ENVELOPE_BYTES + 5);
  });
});

describe('names of topics', () => {
  it('lead to names of logs', () => {
    expect(logNameOfTopic('a/b.c-d')).toBe('a.b.c-d');
    expect(isTopicName('a/b.c-d')).toBe(true);
    expect(isTopicName('a'.repeat(35))).toBe(true);
    for (const name of ['', 'a'.repeat(36), 'ä', 'a b', '.', '..', '/', '//', './']) {
      expect(isTopicName(name), name).toBe(false);
    }
  });
});

function fieldsOf(body: string): string[] {
  return body
    .split(';')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function rowsOf(type: MessageType): string[] {
  return Object.entries(type.fields).map(([name, field]) => {
    const typeName = typeof field.type === 'string' ? field.type : field.type.name.replace('smq.', '');
    return `${field.isRepeated ? 'repeated ' : ''}${typeName} ${protoName(name)} = ${field.number}`;
  });
}

function outcome(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtobufError);
    return (error as Error).message;
  }
}
