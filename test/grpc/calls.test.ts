import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { policyOfGuard } from '../../internal/access/guard.ts';
import { Admission } from '../../internal/doors/clients/admission.ts';
import { describeFile } from '../../internal/protocol/grpc/descriptor.ts';
import { HealthCheckRequest, HealthCheckResponse } from '../../internal/protocol/grpc/health.ts';
import { reflectionV1, reflectionV1Alpha } from '../../internal/protocol/grpc/reflection.ts';
import type { NewMessageOf } from '../../internal/protocol/grpc/schema.ts';
import { Status } from '../../internal/protocol/grpc/status.ts';
import { encodeEnveloped } from '../../internal/protocol/grpc/write-message.ts';
import { smqFile } from '../../internal/protocol/smq/smq.ts';
import { requestOf, TestClient } from './grpc-client.ts';
import { openTestDoor, type TestDoor } from './grpc-door.ts';

/*
 * What any service of gRPC has to do with a call: statuses, deadlines, cancelling, half-closing, compression; and the
 * two services that every server should have.
 */

let door: TestDoor;
let client: TestClient;

beforeEach(async () => {
  door = await openTestDoor({
    settings: { heartbeatAfterMs: 40, heartbeatEveryMs: 20, maxMessageBytes: 1_000_000 },
  });
  client = door.client;
  await client.unary('CreateTopic', { topic: 't' });
});
afterEach(() => door.close());

const openCalls = () => door.metrics.snapshot().grpc_calls;

describe('a call of what does not exist', () => {
  it.each([
    ['/smq.SuhaibMessageQueue/Nothing', 'unknown method Nothing for service smq.SuhaibMessageQueue'],
    ['/smq.Nothing/Produce', 'unknown service smq.Nothing'],
    ['/Produce', 'malformed method name: "/Produce"'],
    ['/constructor/toString', 'unknown service constructor'],
  ])('%s', async (path, message) => {
    const call = client.openPath(path, HealthCheckResponse);
    call.stream.end();
    expect(await call.ended).toMatchObject({ status: Status.UNIMPLEMENTED, message });
  });
});

it.each([
  [{ ':method': 'GET' }, 405],
  [{ 'content-type': 'application/json' }, 415],
  [{ 'content-type': 'application/grpcx' }, 415],
])('a request of HTTP that is no call: %o', async (headers, status) => {
  const stream = client.session.request({ ':method': 'POST', ':path': '/', ...headers });
  const got = await new Promise((resolve) => stream.on('response', resolve));
  expect(got).toMatchObject({ ':status': status });
  await vi.waitUntil(() => stream.closed);
  expect(openCalls()).toBe(0);
});

it.each(['application/grpc', 'application/grpc+proto', 'application/grpc;v=1'])(
  'a call says it is of type %s',
  async (type) => {
    const call = client.call('Connect', [{}], { 'content-type': type });
    expect(await call.ended).toMatchObject({ status: 0, headers: { 'content-type': 'application/grpc' } });
  },
);

describe('messages that are none', () => {
  it.each<[string, string, number[], number, string]>([
    ['broken protobuf', 'Consume', [0, 0, 0, 0, 1, 0x0a], Status.INTERNAL, 'error unmarshalling request'],
    [
      'a topic that is not UTF-8',
      'Produce',
      [0, 0, 0, 0, 3, 0x0a, 1, 0xff],
      Status.INTERNAL,
      'invalid UTF-8',
    ],
    ['a cut message', 'Consume', [0, 0, 0, 0, 9, 1], Status.INTERNAL, 'cut off'],
    ['a cut envelope', 'StreamProduce', [0, 0], Status.INTERNAL, 'cut off'],
    ['an unknown flag', 'Consume', [7, 0, 0, 0, 0], Status.INTERNAL, 'unexpected payload format 7'],
    ['a compressed flag alone', 'Consume', [1, 0, 0, 0, 0], Status.INTERNAL, 'compressed flag'],
    ['a huge message', 'Produce', [0, 0x7f, 0, 0, 0], Status.RESOURCE_EXHAUSTED, '(2130706432 vs. 1000000)'],
    ['no message', 'Produce', [], Status.UNIMPLEMENTED, 'needs a request'],
    ['no message', 'StreamConsume', [], Status.UNIMPLEMENTED, 'needs a request'],
  ])('%s (%s)', async (_what, method, bytes, status, text) => {
    const call = client.open(method);
    call.stream.end(Uint8Array.from(bytes));
    const end = await call.ended;
    expect([end.status, end.message]).toEqual([status, expect.stringContaining(text)]);
    await vi.waitUntil(() => openCalls() === 0);
  });

  it('two where one is meant', async () => {
    const call = client.open('StreamConsume');
    const request = requestOf('StreamConsume', { topic: 't', offset: 1 });
    call.stream.end(Buffer.concat([request, request]));
    expect(await call.ended).toMatchObject({ status: Status.UNIMPLEMENTED });
  });

  it('unknown fields are no matter', async () => {
    const call = client.open('Produce');
    call.stream.end(Uint8Array.of(0, 0, 0, 0, 9, 0x0a, 1, 0x74, 0x1a, 0, 0x20, 5, 0x12, 0));
    expect(await call.ended).toMatchObject({ status: 0 });
  });
});

describe('a deadline', () => {
  it('ends a call that is still open, with its status', async () => {
    const call = client.call('StreamConsume', [{ topic: 't', offset: 1 }], { 'grpc-timeout': '30m' });
    expect(await call.ended).toMatchObject({ status: Status.DEADLINE_EXCEEDED });
    expect(openCalls()).toBe(0);
  });

  it('that is over already changes nothing', async () => {
    const call = client.call('Produce', [{ topic: 't' }], { 'grpc-timeout': '1n' });
    expect(await call.ended).toMatchObject({ status: Status.DEADLINE_EXCEEDED });
    await expect(client.unary('GetLatestOffset', { topic: 't' })).rejects.toThrow('topic is empty');
  });

  it('that cannot be read is refused', async () => {
    const call = client.call('Connect', [{}], { 'grpc-timeout': 'soon' });
    expect(await call.ended).toMatchObject({
      status: Status.INTERNAL,
      message: 'malformed grpc-timeout: soon',
    });
  });

  it('ends a call whose client does not read', async () => {
    const message = new Uint8Array(900_000);
    await client.unary('Produce', { topic: 't', message });
    const quiet = new TestClient(door.door.url, { settings: { initialWindowSize: 0 } });
    const call = quiet.call('StreamConsume', [{ topic: 't', offset: 1 }], { 'grpc-timeout': '50m' });
    await expect(call.ended).rejects.toThrow();
    expect(openCalls()).toBe(0);
    quiet.close();
  });
});

describe('cancelling', () => {
  it.each(['StreamConsume', 'StreamProduce'])('ends %s at once', async (method) => {
    const call = client.open(method);
    call.stream.write(requestOf(method, { topic: 't' }));
    await vi.waitUntil(() => openCalls() === 1);
    call.stream.close(8);
    await vi.waitUntil(() => openCalls() === 0);
    await expect(call.ended).rejects.toThrow('the stream closed with 8');
    expect(await client.unary('Connect', {})).toEqual({});
  });

  it('by going away ends all calls of a connection', async () => {
    const other = new TestClient(door.door.url);
    const calls = Array.from({ length: 10 }, () => other.call('StreamConsume', [{ topic: 't' }]));
    for (const call of calls) call.ended.catch(() => {});
    await vi.waitUntil(() => openCalls() === 10);
    other.close();
    await vi.waitUntil(() => openCalls() === 0 && door.metrics.snapshot().grpc_connections === 1);
  });
});

describe('heartbeats', () => {
  it('come while nothing else does, and stop for messages', async () => {
    const call = client.call('StreamConsume', [{ topic: 't', offset: 1 }]);
    const [first, second] = await call.received(2);
    expect([first, second]).toEqual(Array(2).fill({ message: new Uint8Array(0), offset: -1n }));
    await client.unary('Produce', { topic: 't', message: Buffer.from('a') });
    await vi.waitUntil(() => call.responses.some(({ offset }) => offset === 1n));
    call.stream.close();
  });

  it('do not gather for a client that does not read', async () => {
    const quiet = new TestClient(door.door.url, { settings: { initialWindowSize: 0 } });
    const call = quiet.call('StreamConsume', [{ topic: 't', offset: 1 }]);
    call.ended.catch(() => {});
    const reading = client.call('StreamConsume', [{ topic: 't', offset: 1 }]);
    await reading.received(10);
    quiet.session.settings({ initialWindowSize: 65_535 });
    await call.received(1);
    const atOnce = call.responses.length;
    expect(atOnce).toBeLessThan(5);
    quiet.close();
    reading.stream.close();
  });
});

describe('compression', () => {
  const compressed = (message: Uint8Array): Uint8Array => {
    const bytes = gzipSync(message);
    const envelope = Buffer.alloc(5);
    envelope[0] = 1;
    envelope.writeUInt32BE(bytes.length, 1);
    return Buffer.concat([envelope, bytes]);
  };
  const plain = (method: string, message: object) => requestOf(method, message).subarray(5);

  it('of requests works, in the order of the messages', async () => {
    const call = client.open('StreamProduce', { 'grpc-encoding': 'gzip' });
    const large = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * index) >> 3));
    for (const message of ['1', large, '2', '']) {
      call.stream.write(compressed(plain('StreamProduce', { topic: 't', message: Buffer.from(message) })));
    }
    call.stream.end(requestOf('StreamProduce', { topic: 't', message: Buffer.from('plain') }));
    expect((await call.ended).status).toBe(0);
    expect(call.responses).toEqual([{ offset: 5n }]);
    const { messages } = await client.unary('BulkRetrieve', { topic: 't' });
    const found = messages.map(({ message }: { message: Uint8Array }) => Buffer.from(message));
    expect(found[1].equals(large)).toBe(true);
    expect([0, 2, 3, 4].map((index) => found[index].toString())).toEqual(['1', '2', '', 'plain']);
  });

  it.each([
    ['short', 900_000],
    ['long', 40_000_000],
  ])('that expands beyond the limit is refused, %s', async (_what, size) => {
    const call = client.open('Produce', { 'grpc-encoding': 'gzip' });
    call.stream.end(compressed(plain('Produce', { topic: 't', message: new Uint8Array(size + 200_000) })));
    expect(await call.ended).toMatchObject({
      status: Status.RESOURCE_EXHAUSTED,
      message: expect.stringContaining('after decompression larger than max 1000000'),
    });
  });

  it.each([10, 20_000])('that is broken is refused, %i bytes', async (size) => {
    const call = client.open('Produce', { 'grpc-encoding': 'gzip' });
    const envelope = Buffer.alloc(5 + size, 0x55);
    envelope[0] = 1;
    envelope.writeUInt32BE(size, 1);
    call.stream.end(envelope);
    expect(await call.ended).toMatchObject({ status: Status.INTERNAL });
  });

  it.each(['deflate', 'br', 'snappy'])('by %s is refused, with what is known', async (encoding) => {
    const call = client.call('Connect', [{}], { 'grpc-encoding': encoding });
    expect(await call.ended).toMatchObject({
      status: Status.UNIMPLEMENTED,
      message: `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`,
      headers: { 'grpc-accept-encoding': 'identity,gzip' },
    });
  });
});

describe('the store', () => {
  it('that fails makes calls UNAVAILABLE, and works again', async () => {
    door.store.isFailing = true;
    const unary = client.call('Produce', [{ topic: 't', message: Buffer.from('a') }]);
    expect(await unary.ended).toMatchObject({ status: Status.UNAVAILABLE });
    const stream = client.call('StreamProduce', [{ topic: 't', message: Buffer.from('a') }]);
    expect(await stream.ended).toMatchObject({ status: Status.UNAVAILABLE });
    await door.store.recover();
    expect(await client.unary('Produce', { topic: 't', message: Buffer.from('b') })).toEqual({ offset: 1n });
  });
});

it('a topic that is deleted ends those who follow it', async () => {
  const call = client.call('StreamConsume', [{ topic: 't' }]);
  await vi.waitUntil(() => openCalls() === 1);
  await door.logs.deleteTopic(door.logs.topic('t')!);
  expect(await call.ended).toMatchObject({ status: Status.UNKNOWN, message: 'topic t does not exist' });
});

it('deleting what a slow reader has not got ends its stream', async () => {
  for (let index = 0; index < 3; index++) {
    await client.unary('Produce', { topic: 't', message: new Uint8Array(900_000) });
  }
  const quiet = new TestClient(door.door.url, { settings: { initialWindowSize: 0 } });
  const call = quiet.call('StreamConsume', [{ topic: 't', offset: 1 }]);
  await vi.waitUntil(() => openCalls() === 1);
  await vi.waitUntil(() => (door.metrics.snapshot().grpc_messages_sent_total ?? 0) > 0);
  await client.unary('DeleteUntilOffset', { topic: 't', offset: 3 });
  quiet.session.settings({ initialWindowSize: 2_000_000 });
  expect(await call.ended).toMatchObject({ status: Status.UNKNOWN, message: 'no message at offset' });
  quiet.close();
});

it('a server that takes no writes says so first', async () => {
  const readOnly = await openTestDoor({ settings: { allowRemoteWrites: false } });
  for (const [method, messages] of [
    ['CreateTopic', [{ topic: '!' }]],
    ['Produce', [{ topic: 'none' }]],
    ['StreamProduce', []],
    ['DeleteUntilOffset', [{ topic: 'none' }]],
  ] as const) {
    const call = readOnly.client.call(method, messages);
    expect(await call.ended, method).toMatchObject({
      status: Status.UNKNOWN,
      message: 'remote writes disabled',
    });
  }
  await readOnly.close();
});

it('a guard decides who may do what', async () => {
  const guarded = await openTestDoor({
    admission: new Admission(
      undefined,
      policyOfGuard({
        mayConnect: () => undefined,
        mayPublish: (_who, topic) => (topic === 'open/in' ? undefined : 'not there'),
        maySubscribe: (_who, topic) => (topic === 'open/out' ? undefined : 'not from there'),
      }),
    ),
  });
  for (const name of ['open.in', 'open.out']) await guarded.logs.topicOrNew(name);
  const statusOf = async (method: string, topic: string) =>
    (await guarded.client.call(method, [{ topic }]).ended).status;
  expect(await statusOf('Produce', 'open/in')).toBe(Status.OK);
  expect(await statusOf('BulkRetrieve', 'open/out')).toBe(Status.OK);
  for (const method of ['CreateTopic', 'Produce', 'StreamProduce', 'DeleteUntilOffset']) {
    // The client has shown nothing, and may be somebody who may do it.
    expect(await statusOf(method, 'open/out'), method).toBe(Status.UNAUTHENTICATED);
  }
  for (const method of ['Consume', 'StreamConsume', 'GetLatestOffset', 'GetEarliestOffset', 'BulkRetrieve']) {
    expect(await statusOf(method, 'open/in'), method).toBe(Status.UNAUTHENTICATED);
  }
  await guarded.close();
});

describe('the health service', () => {
  const ask = (method: string, service: string) => {
    const call = client.openPath(`/grpc.health.v1.Health/${method}`, HealthCheckResponse);
    call.stream.end(encodeEnveloped(HealthCheckRequest, { service }));
    return call;
  };

  it.each(['', 'smq.SuhaibMessageQueue', 'grpc.health.v1.Health'])('knows %j', async (service) => {
    const call = ask('Check', service);
    expect((await call.ended).status).toBe(0);
    expect(call.responses).toEqual([{ status: 1 }]);
  });

  it('does not know others', async () => {
    expect(await ask('Check', 'x').ended).toMatchObject({
      status: Status.NOT_FOUND,
      message: 'unknown service x',
    });
    const watch = ask('Watch', 'x');
    expect(await watch.received(1)).toEqual([{ status: 3 }]);
    watch.stream.close();
  });

  it('tells who watches that the door closes', async () => {
    const watch = ask('Watch', '');
    expect(await watch.received(1)).toEqual([{ status: 1 }]);
    const closing = door.door.close(5_000);
    expect(await watch.received(2)).toEqual([{ status: 1 }, { status: 2 }]);
    expect(await watch.ended).toMatchObject({ status: Status.UNAVAILABLE });
    await closing;
  });
});

describe.each([
  ['v1', reflectionV1],
  ['v1alpha', reflectionV1Alpha],
] as const)('server reflection %s', (version, found) => {
  const reflection = found as typeof reflectionV1;
  async function ask(...requests: NewMessageOf<typeof reflection.request>[]) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const call = client.openPath(path, reflection.response);
    for (const request of requests) call.stream.write(encodeEnveloped(reflection.request, request));
    const answers = await call.received(requests.length);
    call.stream.end();
    expect((await call.ended).status).toBe(0);
    return answers;
  }

  it('lists the services', async () => {
    const [answer] = await ask({ host: 'h', listServices: '' });
    expect(answer).toMatchObject({ validHost: 'h', originalRequest: { host: 'h', listServices: '' } });
    expect(answer.listServicesResponse!.service.map(({ name }) => name)).toEqual([
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'smq.SuhaibMessageQueue',
    ]);
  });

  it('gives the file of a name, a symbol or a method', async () => {
    const answers = await ask(
      { fileByFilename: 'smq.proto' },
      { fileContainingSymbol: 'smq.SuhaibMessageQueue' },
      { fileContainingSymbol: 'smq.SuhaibMessageQueue.Produce' },
      { fileContainingSymbol: 'smq.BulkRetrieveResponse.next_offset' },
    );
    for (const answer of answers) {
      expect(answer.fileDescriptorResponse!.fileDescriptorProto).toEqual([describeFile(smqFile)]);
    }
  });

  it('says what it does not have', async () => {
    const answers = await ask(
      { fileByFilename: 'none.proto' },
      { fileContainingSymbol: 'smq.None' },
      { fileContainingExtension: { containingType: 'smq.ProduceRequest', extensionNumber: 1 } },
      { allExtensionNumbersOfType: 'smq.None' },
      {},
    );
    expect(answers.map(({ errorResponse }) => errorResponse?.errorCode)).toEqual([5, 5, 5, 5, 3]);
    const [extensions] = await ask({ allExtensionNumbersOfType: 'smq.ProduceRequest' });
    expect(extensions.allExtensionNumbersResponse).toEqual({
      baseTypeName: 'smq.ProduceRequest',
      extensionNumber: [],
    });
  });
});
