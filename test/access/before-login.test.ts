import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { HashQueue } from '../../internal/access/users/hash-queue.ts';
import type { User } from '../../internal/access/users/user.ts';
import { UserAuthenticator } from '../../internal/access/users/user-authenticator.ts';
import { buildBatch } from '../../internal/batch/build.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { Status } from '../../internal/protocol/grpc/status.ts';
import { produce } from '../../internal/protocol/kafka/apis/00-produce.ts';
import { type Packet, PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { type BrokerOptions, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { TestClient } from '../grpc/grpc-client.ts';
import { connectMqtt, openMqtt } from '../mqtt/client.ts';
import { eventually } from '../support/eventually.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { openStream, RawClient } from '../support/raw-client.ts';
import { directoryOf, userOf, userWithout } from '../support/users.ts';

const BAD_CREDENTIALS = 0x86;
const NOT_AUTHORIZED = 0x87;
const SERVER_BUSY = 0x89;
const password = Buffer.from('wonder land');

/** A hash of mosquitto's for the same password, which is made in no time; that of a file is not replaced. */
const QUICK = {
  origin: 'file',
  password:
    '$7$101$r8q83xZH7DYJ4GWI$Dwr0w3eh/vI/rKbzlEKqv+C/KmbWwK2fHj6XwncE8sJb0e4ffCOPcd/4DG98NkC6CQ8PuFN8SAscyv/XJ+Ndbg==',
} as const;

let alice: User;
let broker: RunningBroker | undefined;
beforeAll(async () => {
  alice = await userOf('alice', 'wonder land');
});
afterEach(() => broker?.close());

async function started(options: BrokerOptions = {}, queue?: HashQueue): Promise<string> {
  const directory = directoryOf(
    alice,
    ...Array.from({ length: 200 }, (_, index) => userWithout(`u${index}`, QUICK)),
  );
  broker = await startBroker({
    listen: ['tcp://127.0.0.1:0', 'ws://127.0.0.1:0'],
    memory: true,
    sysIntervalMs: 0,
    authenticator: new UserAuthenticator({ directory, allowsAnonymous: false, queue }),
    ...options,
  });
  return broker.url;
}

/** Somebody who may listen, and the way to learn that nothing came. */
async function listener(url: string) {
  const client = await connectMqtt(url, 5, { userName: 'alice', password });
  await client.subscribe('#');
  return {
    async expectNothing() {
      client.publish('end', '');
      expect((await client.message()).topic).toBe('end');
      client.drop();
    },
    client,
  };
}

describe('before a client has logged in', () => {
  it.each<[string, Packet]>([
    [
      'PUBLISH',
      {
        ...{ type: PacketType.publish, topic: 't', payload: Buffer.from('x'), packetId: 0 },
        ...{ qos: 0, retain: true, dup: false, properties: NO_PROPERTIES },
      },
    ],
    ['PINGREQ', { type: PacketType.pingreq }],
    ['DISCONNECT', { type: PacketType.disconnect, reasonCode: 0, properties: NO_PROPERTIES }],
  ] as [string, Packet][])('nothing comes of %s by MQTT', async (_, packet) => {
    const url = await started();
    const { expectNothing } = await listener(url);
    const client = await openMqtt(url, 5);
    client.send(packet);
    await client.ended();
    await expectNothing();
  });

  it('nothing comes of what follows a CONNECT with another password, in the same write', async () => {
    const url = await started();
    const { expectNothing } = await listener(url);
    const client = await openMqtt(url, 5);
    const connack = client.connect({ userName: 'alice', password: Buffer.from('wrong') });
    client.publish('t', 'x', { qos: 1, retain: true });
    client.publish('t', 'y');
    expect((await connack).reasonCode).toBe(BAD_CREDENTIALS);
    await client.ended();
    await expectNothing();
  });

  it('what follows a CONNECT with the right one waits, and is done', async () => {
    const url = await started();
    const { client: subscriber } = await listener(url);
    const client = await openMqtt(url, 5);
    const connack = client.connect({ userName: 'alice', password });
    client.publish('t', 'x');
    expect((await connack).reasonCode).toBe(0);
    expect((await subscriber.message()).topic).toBe('t');
    client.drop();
    subscriber.drop();
  });

  it('nothing comes of PUBLISH and SUBSCRIBE by frames', async () => {
    const url = await started();
    const { expectNothing } = await listener(url);
    for (const type of [FrameType.publish, FrameType.subscribe]) {
      const client = new RawClient(await openStream(url), 'c');
      client.send(type, 't', 'x');
      expect(await client.expectRefusal()).toMatch(/^not-connected: /);
    }
    const client = new RawClient(await openStream(url), 'c');
    client.send(FrameType.connect);
    client.publish('t', 'x');
    expect(await client.expectRefusal()).toMatch(/^bad-credentials: /);
    await expectNothing();
  });

  it('a compressed message of a WebSocket is not unpacked', async () => {
    await started();
    const { port } = new URL(broker!.listeners.find(({ url }) => url.startsWith('ws:'))!.url);
    const socket = createConnection(Number(port), '127.0.0.1');
    socket.write(
      [
        'GET / HTTP/1.1',
        `Host: 127.0.0.1:${port}`,
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Protocol: tinymq',
        'Sec-WebSocket-Extensions: permessage-deflate',
        '\r\n',
      ].join('\r\n'),
    );
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1.1 101 /);
    expect(head.toString()).not.toMatch(/permessage-deflate/i);
    // 64 MiB of zeros in 64 KiB, marked as compressed (RSV1), with a mask of zeros.
    const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024));
    const header = Buffer.from([0xc2, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.writeUInt32BE(bomb.length, 6);
    socket.write(header);
    socket.write(bomb);
    // What is on its way makes the end an error of the socket.
    socket.on('error', () => {}).resume();
    await new Promise((resolve) => socket.once('close', resolve));
    await (await listener(broker!.url)).expectNothing();
  });

  it.each(['frames', 'kafka', 'grpc', 'http'])(
    'a TLS handshake that comes byte by byte is not waited for: %s',
    async (door) => {
      const folder = mkdtempSync(join(tmpdir(), 'tinymq-handshake-'));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const { serverCert, serverKey } = await makeCertificates(folder);
      const listen = ['tls://127.0.0.1:0'];
      await started({
        ...{ listen, kafka: { listen }, grpc: { listen }, http: { listen } },
        tls: { certFile: serverCert, keyFile: serverKey },
        connectTimeoutMs: 1_000,
      });
      const { port } = new URL(urlOf(broker!, door).replace(/^\w+/, 'http'));
      const socket = createConnection(Number(port), '127.0.0.1');
      socket.on('error', () => {}).resume();
      const hello = await clientHello();
      let at = 0;
      const dribble = setInterval(() => socket.write(hello.subarray(at, ++at)), 50);
      // A byte on its way makes the end an error of the socket.
      await new Promise((resolve) => socket.once('close', resolve));
      clearInterval(dribble);
      expect(at).toBeLessThan(hello.length);
    },
  );

  // What they carry would be 64 MiB; a client that may do nothing is told that, and not that it sends too much.
  it('a compressed request of Kafka closes the connection, and one of gRPC is refused, both as they are', async () => {
    const listen = ['tcp://127.0.0.1:0'];
    await started({ kafka: { listen }, grpc: { listen } });
    const wire = await KafkaWire.open(urlOf(broker!, 'kafka'));
    const record = { timestamp: 0, key: null, value: Buffer.alloc(64 * 1024 * 1024), headers: [] };
    const partitionData = [{ index: 0, records: buildBatch([record], { compression: 'gzip' }) }];
    const topicData = [{ name: 'log', partitionData }];
    wire.send(produce, 9, { transactionalId: null, acks: -1, timeoutMs: 1_000, topicData });
    expect(await wire.next()).toBeUndefined();
    const client = new TestClient(urlOf(broker!, 'grpc'));
    const call = client.open('Produce', { 'grpc-encoding': 'gzip' });
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const head = Buffer.from([1, 0, 0, 0, 0]);
    head.writeUInt32BE(bomb.length, 1);
    call.stream.end(Buffer.concat([head, bomb]));
    expect((await call.ended).status).toBe(Status.UNAUTHENTICATED);
    client.close();
  });
});

// A client id is a name of its user, on whichever door: nobody else may end its connection or have its session.
describe('the client id of another user', () => {
  const other = { clientId: 'shared', userName: 'u1', password };

  it("is nobody else's, by MQTT, frames and HTTP", async () => {
    const url = await started({ http: { listen: ['http://127.0.0.1:0'] } });
    const mine = await connectMqtt(url, 5, { clientId: 'shared', userName: 'alice', password });
    for (const version of [4, 5] as const) {
      const { reasonCode } = await (await openMqtt(url, version)).connect(other);
      expect(reasonCode).toBe(version === 5 ? NOT_AUTHORIZED : 5);
    }
    const words = `user=${btoa('u1')} password=${btoa(String(password))}`;
    const byFrames = new RawClient(await openStream(url), 'shared');
    byFrames.send(FrameType.connect, '', `credentials ${words}`);
    expect(await byFrames.expectRefusal()).toMatch(/^not-authorized: /);
    const authorization = `Basic ${btoa(`u1:${password}`)}`;
    const stream = `${urlOf(broker!, 'http')}/topics/a?follow&client=shared`;
    expect((await fetch(stream, { headers: { authorization } })).status).toBe(403);
    await mine.expectSilence();
    mine.drop();
  });
});

describe('a storm of logins', () => {
  const [COMING, WAITING] = [200, 50];

  /** Hashes nothing while the test holds it. */
  class HeldQueue extends HashQueue {
    held = Promise.resolve();

    constructor() {
      // Time that a busy machine takes counts against nobody.
      super(1, WAITING, { ...systemClock, elapsedMs: () => 0 });
    }

    override run<T>(work: () => Promise<T>): Promise<T> {
      return super.run(() => this.held.then(work));
    }
  }

  it('lets live messages through, refuses what would wait for long, and lets in the others', async () => {
    const queue = new HeldQueue();
    const url = await started({ connectTimeoutMs: 600_000 }, queue);
    const { client } = await listener(url);
    const gate = Promise.withResolvers<void>();
    queue.held = gate.promise;
    const codes: number[] = [];
    const logins = Array.from({ length: COMING }, async (_, index) => {
      const coming = await openMqtt(url, 5);
      codes.push((await coming.connect({ userName: `u${index}`, password })).reasonCode);
      coming.drop();
    });
    // One is hashed, so many wait behind it, and the rest is told to try again.
    await eventually(() => codes.length === COMING - 1 - WAITING, 'the refusals');
    expect(new Set(codes)).toEqual(new Set([SERVER_BUSY]));
    for (let time = 0; time < 50; time++) {
      client.publish('t', String(time));
      expect((await client.message()).topic).toBe('t');
    }
    expect(codes).toHaveLength(COMING - 1 - WAITING);
    gate.resolve();
    await Promise.all(logins);
    expect(codes.filter((code) => code === 0)).toHaveLength(1 + WAITING);
    client.drop();
  });
});

/** What a client says first in a TLS handshake. */
async function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const stream = new Duplex({ read() {}, write: (chunk: Buffer) => resolve(chunk) });
    connectTls({ socket: stream, rejectUnauthorized: false }).on('error', () => {});
  });
}
