import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type CertificateSet, makeCertificates } from '../../certs/make.ts';
import { Status } from '../../internal/protocol/grpc/status.ts';
import { type CertificateFiles, Certificates } from '../../internal/transport/certificates.ts';
import { requestOf, TestClient } from './grpc-client.ts';
import { openTestDoor, type TestDoorOptions } from './grpc-door.ts';

const secure: TestDoorOptions['endpoint'] = { scheme: 'tls', host: '127.0.0.1', port: 0 };

describe('a door that closes', () => {
  it('answers what it took before', async () => {
    const door = await openTestDoor();
    const { client, store } = door;
    await client.unary('CreateTopic', { topic: 't' });
    store.hold();
    const unary = client.call('Produce', [{ topic: 't', message: Buffer.from('a') }]);
    const stream = client.open('StreamProduce');
    stream.stream.write(requestOf('StreamProduce', { topic: 't', message: Buffer.from('b') }));
    const follower = client.call('StreamConsume', [{ topic: 't' }]);
    await vi.waitUntil(() => door.metrics.snapshot().grpc_messages_received_total === 2);
    const closing = door.door.close(30_000);
    expect(await follower.ended).toMatchObject({ status: Status.UNAVAILABLE });
    stream.stream.end(requestOf('StreamProduce', { topic: 't', message: Buffer.from('c') }));
    await vi.waitUntil(() => door.metrics.snapshot().grpc_messages_received_total === 3, { timeout: 30_000 });
    store.release();
    expect(await unary.ended).toMatchObject({ status: 0 });
    expect(await stream.ended).toMatchObject({ status: 0 });
    expect(stream.responses).toEqual([{ offset: 3n }]);
    await closing;
    await door.close();
  });

  it('takes nobody new while it closes', async () => {
    const door = await openTestDoor();
    await door.client.unary('CreateTopic', { topic: 't' });
    door.store.hold();
    const unary = door.client.call('Produce', [{ topic: 't', message: Buffer.from('a') }]);
    await vi.waitUntil(() => door.metrics.snapshot().grpc_messages_received_total === 1);
    const closing = door.door.close(30_000);
    const late = new TestClient(door.door.url);
    await expect(late.unary('Connect', {})).rejects.toThrow();
    door.store.release();
    expect(await unary.ended).toMatchObject({ status: 0 });
    await closing;
    late.close();
    await door.close();
  });

  it('does not wait for a producer that is quiet', async () => {
    const door = await openTestDoor();
    const stream = door.client.open('StreamProduce');
    await vi.waitUntil(() => door.metrics.snapshot().grpc_calls === 1);
    const closing = door.door.close(2 ** 30);
    expect(await stream.ended).toMatchObject({
      status: Status.UNAVAILABLE,
      message: 'server-shutdown: the broker is stopping',
    });
    await closing;
    await door.close();
  });

  it('does not wait for ever', async () => {
    const door = await openTestDoor();
    await door.client.unary('CreateTopic', { topic: 't' });
    door.store.hold();
    const unary = door.client.call('Produce', [{ topic: 't', message: Buffer.from('a') }]);
    await vi.waitUntil(() => door.metrics.snapshot().grpc_messages_received_total === 1);
    const closing = door.door.close(20);
    expect(await unary.ended).toMatchObject({ status: Status.UNAVAILABLE });
    await closing;
    door.store.release();
    await door.close();
  });
});

describe('a door that cannot open', () => {
  it('says which port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    await expect(openTestDoor({ endpoint: { scheme: 'tcp', host: '127.0.0.1', port } })).rejects.toThrow(
      `cannot listen on grpc://127.0.0.1:${port}: the port is taken by another program`,
    );
    server.close();
  });

  it('never speaks plaintext instead of TLS', async () => {
    await expect(openTestDoor({ endpoint: secure })).rejects.toThrow('it needs -tls-cert and -tls-key');
  });
});

it('localhost is both of its addresses, with one port', async () => {
  const door = await openTestDoor({ endpoint: { scheme: 'tcp', host: 'localhost', port: 0 } });
  const { port } = new URL(door.door.url.replace('grpc:', 'http:'));
  for (const host of ['127.0.0.1', '[::1]']) {
    const client = new TestClient(`grpc://${host}:${port}`);
    expect(await client.unary('Connect', {})).toEqual({});
    client.close();
  }
  await door.close();
});

describe('TLS', () => {
  let folder: string;
  let files: CertificateSet;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tinymq-grpc-'));
    files = await makeCertificates(folder, ['localhost', '127.0.0.1']);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const serverFiles = () => ({ certFile: files.serverCert, keyFile: files.serverKey });

  /** A door that speaks TLS, and its certificates, which close with it. */
  async function openSecureDoor(certFiles: CertificateFiles, settings?: TestDoorOptions['settings']) {
    const certificates = new Certificates(certFiles, 60_000, () => {});
    const door = await openTestDoor({ endpoint: secure, certificates, settings });
    return {
      ...door,
      certificates,
      async close() {
        await door.close();
        certificates.close();
      },
    };
  }

  it('works, and mutual TLS asks clients for their certificates', async () => {
    const ca = readFileSync(files.ca);
    const own = { cert: readFileSync(files.clientCert), key: readFileSync(files.clientKey) };
    const door = await openSecureDoor({ ...serverFiles(), caFile: files.ca });
    expect(door.door.url).toMatch(/^grpcs:/);
    const client = new TestClient(door.door.url, { ca, ...own });
    expect(await client.unary('Connect', {})).toEqual({});
    client.close();

    const nameless = new TestClient(door.door.url, { ca });
    await expect(nameless.unary('Connect', {})).rejects.toThrow();
    const plain = new TestClient(door.door.url.replace('grpcs', 'grpc'));
    await expect(plain.unary('Connect', {})).rejects.toThrow();
    const port = Number(new URL(door.door.url.replace('grpcs:', 'http:')).port);
    for (const ALPNProtocols of [['http/1.1'], undefined]) {
      const http1 = connectTls({ port, host: '127.0.0.1', ca, ...own, ALPNProtocols });
      http1.on('error', () => {});
      await new Promise((resolve) => http1.on('close', resolve));
    }
    const old = new TestClient(door.door.url, { ca, ...own, maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' });
    await expect(old.unary('Connect', {})).rejects.toThrow();
    for (const other of [nameless, plain, old]) other.close();
    await door.close();
  });

  it('shows a new certificate to new connections', async () => {
    const other = join(folder, 'other');
    const renewed = await makeCertificates(other, ['localhost', '127.0.0.1']);
    const changing = { certFile: join(folder, 'c.crt'), keyFile: join(folder, 'c.key') };
    writeFileSync(changing.certFile, readFileSync(files.serverCert));
    writeFileSync(changing.keyFile, readFileSync(files.serverKey));
    const door = await openSecureDoor(changing);
    const before = new TestClient(door.door.url, { ca: readFileSync(files.ca) });
    expect(await before.unary('Connect', {})).toEqual({});
    writeFileSync(changing.certFile, readFileSync(renewed.serverCert));
    writeFileSync(changing.keyFile, readFileSync(renewed.serverKey));
    door.certificates.reload();
    const after = new TestClient(door.door.url, { ca: readFileSync(renewed.ca) });
    expect(await after.unary('Connect', {})).toEqual({});
    expect(await before.unary('Connect', {})).toEqual({});
    for (const client of [before, after]) client.close();
    await door.close();
  });

  it('closes a connection that never finishes its handshake', async () => {
    const door = await openSecureDoor(serverFiles(), { connectTimeoutMs: 50 });
    const { port, hostname } = new URL(door.door.url.replace('grpcs:', 'http:'));
    const socket = connectTcp(Number(port), hostname);
    await once(socket, 'close');
    expect(door.metrics.snapshot().connection_problems_total).toBeGreaterThan(0);
    await door.close();
  });
});
