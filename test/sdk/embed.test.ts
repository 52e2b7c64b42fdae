import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { METRICS } from '../../internal/observe/metric-table.ts';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { connect } from '../../pkg/client/index.ts';
import { type Guard, ListenError, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectRaw, openStream, RawClient } from '../support/raw-client.ts';

const running: RunningBroker[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((broker) => broker.close()));
});

async function started(options: Parameters<typeof startBroker>[0] = {}): Promise<RunningBroker> {
  const broker = await startBroker({ listen: ['tcp://localhost:0'], ...options });
  running.push(broker);
  return broker;
}

/** Counted only where a collector is named, or in a cluster. */
const NOT_ALWAYS = /^(spans_.*|nats_.*|shards_.*|shard_claim_seconds)$/;

describe('a broker in this process', () => {
  it('says where it listens, with the real ports', async () => {
    const { listeners, url } = await started({ listen: ['tcp://localhost:0', 'ws://127.0.0.1:0'] });
    expect(listeners.map((listener) => listener.url)).toEqual([
      expect.stringMatching(/^tcp:\/\/localhost:[1-9]\d*$/),
      expect.stringMatching(/^ws:\/\/127\.0\.0\.1:[1-9]\d*$/),
    ]);
    expect(url).toBe(listeners[0].url);
  });

  it('ends with the block that it was started in, and tells its clients', async () => {
    let url: string;
    let client: RawClient;
    {
      await using broker = await startBroker({ listen: ['tcp://localhost:0'] });
      url = broker.url;
      client = await connectRaw(url, 'client');
      // Closed by the broker, which otherwise waits a moment for the client to do so.
      client.stream.on('end', () => client.stream.destroy());
    }
    expect(Buffer.from((await client.expect(FrameType.disconnect)).payload).toString()).toBe(
      'server-shutdown: The broker is stopping.',
    );
    await client.closed();
    await expect(openStream(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('counts everything that docs/metrics.md names', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { serverCert, serverKey } = await makeCertificates(join(folder, 'certs'), []);
    const broker = await started({
      listen: ['tcp://127.0.0.1:0', 'tls://127.0.0.1:0'],
      tls: { certFile: serverCert, keyFile: serverKey },
      dataDir: join(folder, 'data'),
      logs: [{ filter: 'kept/#' }],
      kafka: { listen: ['tcp://localhost:0'] },
      grpc: { listen: ['grpc://localhost:0'] },
    });
    const client = await connectRaw(broker.url, 'reader');
    client.send(FrameType.subscribe, '$replay/earliest/kept/a');
    await client.expect(FrameType.suback);
    const plain = Object.entries(METRICS).filter(([, entry]) => !('labels' in entry) || 'isSummed' in entry);
    const names = plain.map(([name]) => name).filter((name) => !NOT_ALWAYS.test(name));
    const counted = Object.keys(broker.stats()).filter((name) => !name.includes('{'));
    expect(counted.sort()).toEqual(names.sort());
  });

  it('may be closed twice', async () => {
    const broker = await started();
    const closing = broker.close();
    await Promise.all([closing, broker.close()]);
    await broker.close();
  });

  it('knows nothing of another one', async () => {
    const [one, other] = [await started(), await started()];
    await using here = await connectRaw(one.url, 'same');
    await using there = await connectRaw(other.url, 'same');
    await here.subscribe('a');
    await there.subscribe('a');
    here.publish('a', 'here');
    expect((await here.message())[1]).toBe('here');
    await there.expectSilence();
  });

  it('counts', async () => {
    const broker = await started();
    await using subscriber = await connectRaw(broker.url, 'subscriber');
    await using publisher = await connectRaw(broker.url, 'publisher');
    await subscriber.subscribe('a', 'b/+');
    for (let count = 0; count < 5; count++) publisher.publish('a', 'x');
    publisher.publish('nobody', 'x');
    await publisher.ping();
    const offender = await connectRaw(broker.url, 'offender');
    offender.publish('+', '');
    await offender.expectRefusal();
    expect(broker.stats()).toMatchObject({
      clients: 2,
      subscriptions: 2,
      messages_received_total: 6,
      messages_delivered_total: 5,
      messages_dropped_total: 0,
      'disconnects_total{code="invalid-topic"}': 1,
    });
  });

  it('carries 16 MiB in one message unless told otherwise, and not a byte more', async () => {
    const broker = await started();
    await using subscriber = await connectRaw(broker.url, 'subscriber');
    const publisher = await connectRaw(broker.url, 'publisher');
    await subscriber.subscribe('large');
    const largest = new Uint8Array(16 * 1024 ** 2).map((_, index) => index % 251);
    publisher.publish('large', largest);
    const [message] = await subscriber.messages(1);
    expect(Buffer.compare(message.payload, largest)).toBe(0);
    publisher.publish('large', new Uint8Array(largest.length + 1));
    expect(await publisher.expectRefusal()).toMatch(/^message-too-large: payload of 16777217 bytes; /);
  });
});

describe('a broker that cannot start', () => {
  it('rejects with the address and the code, and leaves nothing open', async () => {
    const taken = createServer();
    const port = await new Promise<number>((resolve) => {
      taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port));
    });
    const url = `tcp://127.0.0.1:${port}`;
    const failure = await startBroker({ listen: ['tcp://127.0.0.1:0', url] }).catch((error) => error);
    expect(failure).toBeInstanceOf(ListenError);
    expect(failure).toMatchObject({
      url,
      code: 'EADDRINUSE',
      message: `cannot listen on ${url}: the port is taken by another program`,
    });
    const left: string[] = [];
    const broker = await started({
      listen: ['tcp://127.0.0.1:0', url],
      onListenError: (error) => left.push(error.url),
    });
    expect(left).toEqual([url]);
    expect(broker.listeners).toHaveLength(1);
    taken.close();
  });

  it.each([
    [{ listen: [] }, 'listen names no address'],
    [{ listen: ['http://localhost:1'] }, "'http://localhost:1' is not an address to listen on"],
    [{ listen: ['tls://localhost:0'] }, 'it needs the option tls, with certFile and keyFile'],
    [{ maxMessageBytes: 0 }, 'maxMessageBytes is 1 to 1073741824, not 0'],
    [{ channelSize: Number.NaN }, 'channelSize is at least 1, not NaN'],
  ])('says why: %j', async (options, message) => {
    await expect(startBroker(options)).rejects.toThrow(message);
  });
});

describe('a guard', () => {
  const guard: Guard = {
    mayConnect: ({ clientId }) => (clientId === 'stranger' ? 'nobody knows you' : undefined),
    mayPublish: (_, topic) => (topic.startsWith('secret/') ? 'secrets are not told' : undefined),
    maySubscribe: ({ clientId }, filter) =>
      filter === '#' ? `${clientId} may not hear everything` : undefined,
  };

  it('refuses to connect, to publish and to subscribe, with its reason', async () => {
    const broker = await started({ guard });
    const stranger = new RawClient(await openStream(broker.url), 'stranger');
    stranger.send(FrameType.connect);
    expect(await stranger.expectRefusal()).toBe('not-authorized: nobody knows you');

    const publisher = await connectRaw(broker.url, 'publisher');
    publisher.publish('open/a', '');
    await publisher.ping();
    publisher.publish('secret/a', '');
    expect(await publisher.expectRefusal()).toBe("not-authorized: topic 'secret/a': secrets are not told");

    const subscriber = await connectRaw(broker.url, 'subscriber');
    subscriber.send(FrameType.subscribe, '#');
    expect(await subscriber.expectRefusal()).toBe(
      "not-authorized: filter '#': subscriber may not hear everything",
    );
  });

  it('is heard by users of the SDK', async () => {
    const broker = await started({ guard });
    await expect(connect(broker.url, { clientId: 'stranger' })).rejects.toThrow('nobody knows you');
  });

  it('learns who asks', async () => {
    const asked: object[] = [];
    const broker = await started({
      guard: {
        mayConnect(who) {
          asked.push(who);
          return undefined;
        },
        mayPublish: () => undefined,
        maySubscribe: () => undefined,
      },
    });
    await using _client = await connectRaw(broker.url, 'client');
    expect(asked).toEqual([
      {
        user: undefined,
        groups: [],
        clientId: 'client',
        door: 'frames',
        listener: broker.url,
        remote: expect.stringMatching(/:\d+$/),
        certificateName: undefined,
        expiresAtMs: undefined,
      },
    ]);
  });
});

describe('what a broker logs', () => {
  it('never contains a payload, and names are escaped', async () => {
    const lines: string[] = [];
    const keep = (fields: object, message: string) => void lines.push(JSON.stringify([fields, message]));
    const broker = await started({ logger: { debug: keep, info: keep, warn: keep, error: keep } });
    const client = await connectRaw(broker.url, 'evil\n\u001b[2J');
    client.publish('+/bad', 'top secret');
    await client.expectRefusal();
    expect(lines.join('\n')).toContain('invalid-topic');
    expect(lines.join('\n')).not.toContain('top secret');
    expect(lines.join('\n')).toContain('evil\\\\x0a\\\\x1b[2J');
  });
});
