import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { encodeFrame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { connectRaw, openStream, RawClient } from '../support/raw-client.ts';

describe('-connect-timeout', () => {
  let broker: BrokerProcess;
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));

  beforeAll(async () => {
    const { serverCert, serverKey } = await makeCertificates(folder);
    broker = await startBrokerProcess([
      ...['-address', 'localhost:0', '-tls-cert', serverCert, '-tls-key', serverKey],
      ...['-listen', 'tcp://localhost:0,ws://localhost:0,wss://localhost:0', '-connect-timeout', '1'],
    ]);
    return async () => {
      await broker.stop('SIGKILL');
      rmSync(folder, { recursive: true });
    };
  });

  it.each([
    ['nothing', []],
    ['half a CONNECT', encodeFrame(FrameType.connect, '', '', 'half').subarray(0, 5)],
  ])('a connection that sends %s is told, then closed', async (_, bytes) => {
    for (const url of [urlOf('tcp'), urlOf('ws')]) {
      const client = new RawClient(await openStream(url), 'slow');
      if (bytes.length > 0) client.stream.write(Uint8Array.from(bytes));
      expect(await client.expectRefusal()).toMatch(/^connect-timeout: /);
    }
  });

  it.each(['tls', 'ws', 'wss'])('a %s handshake that never comes is not waited for', async (scheme) => {
    const socket = createConnection(Number(/:(\d+)$/.exec(urlOf(scheme))![1]), 'localhost');
    socket.on('error', () => {});
    socket.resume();
    await once(socket, 'close');
  });

  it('a client that said CONNECT may be silent', async () => {
    await using quiet = await connectRaw(urlOf('tcp'), 'quiet');
    const late = new RawClient(await openStream(urlOf('tcp')), 'late');
    await late.expectRefusal();
    await quiet.expectSilence();
  });

  function urlOf(scheme: string): string {
    return broker.urls.find((url) => url.startsWith(`${scheme}:`))!;
  }
});

describe('-keepalive', () => {
  it('disconnects who says nothing, and nobody else', async () => {
    await using broker = await startBrokerProcess(['-address', 'localhost:0', '-keepalive', '3']);
    await using talker = await connectRaw(broker.url, 'talker');
    const silent = await connectRaw(broker.url, 'silent');
    const refusal = silent.expectRefusal();
    while (!silent.isClosed) await talker.ping();
    expect(await refusal).toMatch(/^keepalive-timeout: /);
    await talker.expectSilence();
    await broker.logged({ code: 'keepalive-timeout', client: 'silent' });
  });
});

describe('-max-clients', () => {
  it('refuses the one too many, and takes somebody in when there is room', async () => {
    await using broker = await startBrokerProcess(['-address', 'localhost:0', '-max-clients', '2']);
    const first = await connectRaw(broker.url, 'first');
    await connectRaw(broker.url, 'second');
    const third = new RawClient(await openStream(broker.url), 'third');
    third.send(FrameType.connect);
    expect(await third.expectRefusal()).toBe('too-many-clients: 2 clients are connected');

    const again = await connectRaw(broker.url, 'first');
    expect(await first.expectRefusal()).toMatch(/^taken-over: /);
    again.send(FrameType.disconnect);
    await again.closed();
    await eventually(async () => (await broker.stats()).clients === 1, 'room for a client');
    await using fourth = await connectRaw(broker.url, 'fourth');
    await fourth.ping();
  });
});
