import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CertificateSet, makeCertificates } from '../../certs/make.ts';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { Client } from '../../pkg/client/index.ts';
import { type BrokerProcess, program, run, startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { connectRaw, openStream, RawClient } from '../support/raw-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));
/** Two authorities that know nothing of each other, each with a server and a client. */
let ours: CertificateSet;
let theirs: CertificateSet;

beforeAll(async () => {
  ours = await makeCertificates(join(folder, 'ours'));
  theirs = await makeCertificates(join(folder, 'theirs'));
  return () => rmSync(folder, { recursive: true });
});

describe.each(['tls', 'wss'])('a certificate that is replaced (%s)', (network) => {
  it.each(['SIGHUP', 'the change of the files'])('is shown to new clients after %s', async (how) => {
    const { cert, key, flags } = copyOf(ours, `${network}-${how}`);
    await using broker = await startBrokerProcess(['-network', network, ...flags]);
    await using older = await connectRaw(broker.url, 'older', trusting(ours));
    const before = await fingerprint(broker);

    copyFileSync(theirs.serverCert, cert);
    copyFileSync(theirs.serverKey, key);
    if (how === 'SIGHUP') process.kill(broker.pid, 'SIGHUP');
    await broker.logged({ msg: 'the certificate was read again' });
    await eventually(async () => (await fingerprint(broker)) !== before, 'the new certificate');

    await using newer = await connectRaw(broker.url, 'newer', trusting(theirs));
    await older.subscribe('both');
    newer.publish('both', 'still here');
    expect((await older.message())[1]).toBe('still here');
  });
});

describe('a certificate that is broken', () => {
  it('at a reload is reported, and the one before stays', async () => {
    const { cert, flags } = copyOf(ours, 'broken-later');
    await using broker = await startBrokerProcess(['-network', 'tls', ...flags]);
    for (const broken of ['not a certificate', readFileSync(theirs.serverCert, 'utf8')]) {
      const reports = () => broker.log().filter(({ msg }) => /the one before stays/.test(String(msg))).length;
      const seen = reports();
      writeFileSync(cert, broken);
      process.kill(broker.pid, 'SIGHUP');
      await eventually(() => reports() > seen, 'a report');
      await using client = await connectRaw(broker.url, 'client', trusting(ours));
      await client.ping();
    }
  });

  it('at the start is one clear line', async () => {
    const { cert, key, flags } = copyOf(ours, 'broken-at-once');
    writeFileSync(cert, 'not a certificate');
    const broken = await run(program('broker'), ['-network', 'tls', ...flags]);
    expect(broken).toMatchObject({ code: 1, stdout: '' });
    expect(broken.stderr).toMatch(
      new RegExp(`^broker: the certificate ${cert} and the key ${key} do not work: .*\n$`),
    );
    rmSync(key);
    const missing = await run(program('broker'), ['-network', 'tls', ...flags]);
    expect(missing).toMatchObject({
      code: 1,
      stderr: `broker: cannot read the key ${key}: no such file or folder\n`,
    });
  });
});

describe.each(['tls', 'wss'])('mutual TLS (%s)', (network) => {
  it('lets in who shows a certificate of the CA, nobody else, and logs that', async () => {
    await using broker = await startBrokerProcess([
      ...['-network', network, '-address', 'localhost:0', '-tls-ca', ours.ca],
      ...['-tls-cert', ours.serverCert, '-tls-key', ours.serverKey],
    ]);
    const refused: [string, ConnectionOptions][] = [
      ['no certificate', trusting(ours)],
      ['a certificate of another CA', { ...trusting(ours), ...identity(theirs) }],
    ];
    for (const [index, [what, options]] of refused.entries()) {
      await expect(connectOrFail(broker, options), what).rejects.toThrow();
      await eventually(() => problems(broker).length > index, `a log line about ${what}`);
    }
    expect(problems(broker)).toHaveLength(refused.length);
    await using client = await connectRaw(broker.url, 'known', { ...trusting(ours), ...identity(ours) });
    await client.ping();
  });

  // The log said "socket hang up" without an address, the client "closed the connection without an answer".
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'says what is wrong with a certificate: %s',
    async (maxVersion) => {
      await using broker = await startBrokerProcess([
        ...['-network', network, '-address', 'localhost:0', '-tls-ca', ours.ca],
        ...['-tls-cert', ours.serverCert, '-tls-key', ours.serverKey],
      ]);
      const url = new URL(broker.url);
      const shown = { ...trusting(ours), ...identity(theirs), maxVersion, ALPNProtocols: ['http/1.1'] };
      const socket = connectTls({ port: Number(url.port), host: 'localhost', ...shown });
      socket.on('error', () => {}).resume();
      await new Promise((resolve) => socket.once('close', resolve));
      await broker.logged({ msg: 'a connection could not be opened' });
      expect(problems(broker)[0]).toMatchObject({
        remote: expect.stringMatching(/^(127\.0\.0\.1|::1|::ffff:127\.0\.0\.1)$/),
        reason: expect.stringMatching(/^the certificate of the client is not signed by the CA of -tls-ca/),
      });
    },
  );

  it('is explained to clients of the SDK', async () => {
    await using broker = await startBrokerProcess([
      ...['-network', network, '-address', 'localhost:0', '-tls-ca', ours.ca],
      ...['-tls-cert', ours.serverCert, '-tls-key', ours.serverKey],
    ]);
    const connecting = (shown: object) =>
      new Client({
        network: network as 'tls',
        address: new URL(broker.url).host,
        clientId: 'unknown',
        tls: { ca: readFileSync(ours.ca), ...shown },
      }).connect();
    await expect(connecting(identity(theirs))).rejects.toThrow(
      /may not know who signed the client certificate/,
    );
    await expect(connecting({})).rejects.toThrow(/the broker asks for a client certificate/);
  });
});

/** With TLS 1.3 a client may believe for a moment that it is in. */
async function connectOrFail(broker: BrokerProcess, options: ConnectionOptions): Promise<void> {
  const client = new RawClient(await openStream(broker.url, options), 'unknown');
  client.send(FrameType.connect);
  await client.expect(FrameType.connack);
}

function problems(broker: BrokerProcess): object[] {
  return broker.log().filter(({ msg }) => msg === 'a connection could not be opened');
}

function trusting({ ca }: CertificateSet): ConnectionOptions {
  return { ca: readFileSync(ca), servername: 'localhost' };
}

function identity({ clientCert, clientKey }: CertificateSet): ConnectionOptions {
  return { cert: readFileSync(clientCert), key: readFileSync(clientKey) };
}

/** Files for one broker, to be replaced. */
function copyOf(
  { serverCert, serverKey }: CertificateSet,
  name: string,
): { cert: string; key: string; flags: string[] } {
  const path = join(folder, name.replaceAll(' ', '-'));
  const [cert, key] = [`${path}.crt`, `${path}.key`];
  copyFileSync(serverCert, cert);
  copyFileSync(serverKey, key);
  return { cert, key, flags: ['-address', 'localhost:0', '-tls-cert', cert, '-tls-key', key] };
}

/** What identifies the certificate that a new connection is shown. */
async function fingerprint({ url }: BrokerProcess): Promise<string> {
  const port = Number(/:(\d+)$/.exec(url)![1]);
  const socket = connectTls({ port, host: 'localhost', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}
