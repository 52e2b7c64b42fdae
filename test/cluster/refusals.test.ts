import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CertificateSet, makeCertificates } from '../../certs/make.ts';
import { connectToNats, makeStream, type NatsOptions } from '../../internal/cluster/connection.ts';
import { newKey } from '../../internal/cluster/credentials.ts';
import { JetStream } from '../../internal/cluster/jetstream.ts';
import { JetStreamStore } from '../../internal/cluster/jetstream-store.ts';
import { natsUrlProblem } from '../../internal/cluster/nats-url.ts';
import { openCluster } from '../../internal/cluster/open-cluster.ts';
import { patiently } from '../../internal/cluster/patience.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import { eventually } from '../support/eventually.ts';
import { fakeNats } from '../support/fake-nats.ts';
import { freePort } from '../support/free-port.ts';
import { natsServer, startNats } from '../support/nats-servers.ts';

/*
 * Servers that would lose what was acknowledged are refused before anything is stored, and so are those that refuse us: each
 * refusal says what to write.
 */

const PASSWORD = 'Wd7fgT2p-secret';
const program = await natsServer();
const folder = mkdtempSync(join(tmpdir(), 'tinymq-refusals-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(name: string, content: string): string {
  const file = join(folder, name);
  writeFileSync(file, content, { mode: 0o600 });
  return file;
}

/** Why NATS cannot be used so. */
async function refusal(
  options: Omit<NatsOptions, 'fsync'> & Partial<Pick<NatsOptions, 'fsync'>>,
): Promise<{ code: string; message: string }> {
  const connection = await connectToNats({ fsync: 'os', ...options }).catch((error: unknown) => error);
  expect(connection).toBeInstanceOf(Error);
  const { code, message } = connection as { code: string; message: string };
  expect(message).not.toContain(PASSWORD);
  return { code, message };
}

describe('a server that would lose data is refused', () => {
  it.each([
    ['of 2.9', { version: '2.9.25' }, /is nats-server 2\.9\.25, and has to be 2\.14 or newer/],
    ['of 2.13', { version: '2.13.0-RC.1' }, /is nats-server 2\.13\.0-RC\.1, and has to be 2\.14/],
    ['of version 1', { version: '1.4.1' }, /is nats-server 1\.4\.1/],
    ['with the default max_payload', { max_payload: 1_048_576 }, /1048576 bytes.*write max_payload: 8MB/],
    ['without JetStream', { jetstream: false }, /write jetstream \{ store_dir/],
  ])('%s', async (_name, info, wanted) => {
    await using server = await fakeNats({ ...info, server_name: 'b' });
    const { code, message } = await refusal({ urls: [server.url] });
    expect(code).toBe('unsupported');
    expect(message).toMatch(wanted);
    expect(message).toContain(`the NATS server b at ${server.url}`);
  });

  it('although the others are in order: it may be the only one left later', async () => {
    await using old = await fakeNats({ version: '2.9.25', server_name: 'c' });
    await using first = await fakeNats({});
    await using second = await fakeNats({ version: '3.0.1' });
    const { message } = await refusal({ urls: [first.url, second.url, old.url] });
    expect(message).toContain(`server c at ${old.url}`);
  });

  it('and one that is away is told of, as the others go on without it', async () => {
    await using server = await fakeNats({ version: '2.14.0' });
    const away = `nats://127.0.0.1:${await freePort()}`;
    const told: string[] = [];
    const urls = [away, server.url];
    const connection = await connectToNats({ fsync: 'os', urls, warn: (problem) => told.push(problem) });
    expect(told).toEqual([expect.stringContaining(`${away}: connect ECONNREFUSED`)]);
    await connection.close();
  });

  it('also when it comes in the place of a good one later', async () => {
    const told: string[] = [];
    await using old = await fakeNats({ version: '2.9.25' });
    const good = await fakeNats({});
    const connection = await connectToNats({
      fsync: 'os',
      urls: [good.url],
      warn: (problem) => told.push(problem),
    });
    (
      connection as unknown as { protocol: { servers: { addServer(u: string, i: boolean): void } } }
    ).protocol.servers.addServer(new URL(old.url).host, false);
    await good[Symbol.asyncDispose]();
    await eventually(() => told.some((problem) => problem.includes('2.9.25')), 'a warning');
    await connection.close();
  });
});

describe('a way to NATS that does not work', () => {
  it('names each server that is away, and can be tried again', async () => {
    const urls = [`nats://127.0.0.1:${await freePort()}`, 'nats://no-such-host.invalid:4222'];
    const { code, message } = await refusal({ urls });
    expect(code).toBe('unavailable');
    expect(message).toContain('ECONNREFUSED');
    expect(message).toContain('ENOTFOUND no-such-host.invalid');
  });

  it('is no file of credentials', async () => {
    for (const [content, wanted] of [
      ['', /has no credentials/],
      [PASSWORD, /has no credentials for NATS: they are a \.creds file/],
      [`SU${PASSWORD.toUpperCase()}`, /has no credentials/],
      ['-----BEGIN NATS USER JWT-----\neyJ0\n------END NATS USER JWT------\n', /has no credentials/],
    ] as const) {
      const credentialsFile = fileOf('bad', content);
      const { code, message } = await refusal({ urls: ['nats://localhost:1'], credentialsFile });
      expect({ code, message }).toMatchObject({
        code: 'unsupported',
        message: expect.stringMatching(wanted),
      });
    }
    const { message } = await refusal({
      urls: ['nats://localhost:1'],
      credentialsFile: join(folder, 'none'),
    });
    expect(message).toMatch(/cannot read the credentials in .*none: .*no such file/i);
  });

  it.each([
    ['http://localhost:8222', /no address of a NATS server/],
    ['localhost:4222', /no address/],
    [`nats://me:${PASSWORD}@localhost`, /has a user in it: write USER:PASSWORD into a file/],
    ['nats://localhost:4222/x', /means nothing/],
    ['nats://localhost:4222?tls', /means nothing/],
    ['nats://', /no address/],
  ])('is no URL: %s', (url, wanted) => {
    const problem = natsUrlProblem(url);
    expect(problem).toMatch(wanted);
    expect(problem).not.toContain(PASSWORD);
  });

  it.each(['nats://localhost', 'tls://[::1]:4222', 'nats://a.example.com:14222/'])('is none: %s', (url) => {
    expect(natsUrlProblem(url)).toBeUndefined();
  });
});

describe.runIf('there' in program)('with real servers', () => {
  const command = 'there' in program ? program.there : '';
  let certificates: CertificateSet;
  beforeAll(async () => {
    certificates = await makeCertificates(folder);
  });

  it('credentials that no user has are refused, and those of each form let in', async () => {
    const key = newKey();
    const users = `{ nkey: ${key.publicKey} }, { user: broker, password: "${PASSWORD}" }`;
    await using nats = await startNats(command, { servers: 1, more: `authorization { users: [${users}] }` });
    const { urls } = nats;
    const none = await refusal({ urls });
    expect(none).toMatchObject({ code: 'unsupported' });
    expect(none.message).toContain('wants credentials: name a file of them with -cluster-credentials');
    for (const content of [newKey().seed, `broker:${PASSWORD}x`, 'nobody:x']) {
      const { code, message } = await refusal({ urls, credentialsFile: fileOf('wrong', content) });
      expect(code).toBe('unsupported');
      expect(message).toContain('refuses the credentials');
    }
    for (const content of [`${key.seed}\n`, `broker:${PASSWORD}\n`]) {
      await (await connectToNats({ fsync: 'os', urls, credentialsFile: fileOf('right', content) })).close();
    }
  });

  it('a certificate of another CA is refused, and one of a client that is missing is named', async () => {
    const { ca, serverCert, serverKey, clientCert, clientKey } = certificates;
    const other = await makeCertificates(mkdtempSync(join(folder, 'other-')));
    const tls = `cert_file: "${serverCert}", key_file: "${serverKey}", ca_file: "${ca}"`;
    await using nats = await startNats(command, { servers: 1, more: `tls { ${tls} }` });
    const wrong = await refusal({ urls: nats.urls, tls: { caFile: other.ca } });
    expect(wrong).toMatchObject({ code: 'unsupported' });
    expect(wrong.message).toMatch(/is not trusted \(\w+\): name the CA that signed it with -cluster-tls-ca/);
    await (await connectToNats({ fsync: 'os', urls: nats.urls, tls: { caFile: ca } })).close();

    await using mutual = await startNats(command, { servers: 1, more: `tls { ${tls}, verify: true }` });
    const without = await refusal({ urls: mutual.urls, tls: { caFile: ca } });
    expect(without.message).toContain('-cluster-tls-cert');
    await (
      await connectToNats({
        fsync: 'os',
        urls: mutual.urls,
        tls: { caFile: ca, certFile: clientCert, keyFile: clientKey },
      })
    ).close();
  });

  it('TLS is asked of a server that has none', async () => {
    await using nats = await startNats(command, { servers: 1 });
    const { message } = await refusal({
      urls: nats.urls,
      tls: { caFile: certificates.ca },
    });
    expect(message).toContain('has no TLS');
  });

  it('three servers without the tag of syncing hold no logs, unless that is waived', async () => {
    await using nats = await startNats(command, { isSynced: false });
    const options = { urls: nats.urls, name: 'untagged', shards: 2, clock: systemClock };
    const refused = new JetStreamStore({ ...options, fsync: 'commit' }).open();
    await expect(refused).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/sync_interval: always.*server_tags: \["sync:always"\]/),
    });
    const store = new JetStreamStore({ ...options, fsync: 'os' });
    await store.open();
    expect(store.replicas).toBe(3);
    await store.close();
    // What is there already is not taken for what is asked now.
    const again = new JetStreamStore({ ...options, fsync: 'os' });
    await again.open();
    expect(again.replicas).toBe(3);
    await again.close();
  });

  it('a server of which the others have heard nothing may come: a node that starts waits for it', async () => {
    await using nats = await startNats(command);
    const { urls, servers } = nats;
    const last = servers[2];
    // Two of three that are killed as soon as they serve may elect nobody ever after: a stream shows that all know each other.
    const before = await connectToNats({ urls, fsync: 'commit' });
    const stored = { name: 'before', subjects: ['before.>'], isLastOnly: false };
    await patiently(() => makeStream(new JetStream(before), stored, 'commit'));
    await before.close();
    await Promise.all(servers.map((server) => server.kill()));
    for (const server of servers.slice(0, 2)) server.start();
    const connection = await patiently(() => connectToNats({ urls, fsync: 'commit' }));
    const wanted = { name: 'waiting', subjects: ['waiting.>'], isLastOnly: false };
    // Others answer when they have elected a leader.
    await eventually(async () => {
      const made = makeStream(new JetStream(connection), wanted, 'commit');
      const error = await made.catch((refusal: Error) => refusal);
      expect(error).toMatchObject({ code: 'unavailable' });
      return (error as Error).message.includes('has not heard from all');
    }, 'the refusal');
    await connection.close();
    const warned: string[] = [];
    const warn = (problem: string) => warned.push(problem);
    const node = { urls, name: 'waiting', shards: 2, clock: systemClock };
    const store = new JetStreamStore({ ...node, fsync: 'commit', warn });
    const opening = store.open();
    await eventually(() => warned.some((problem) => problem.includes('has not heard from all')), 'a warning');
    last.start();
    await opening;
    expect(store.replicas).toBe(3);
    await store.close();
  });

  it('streams that were made without syncing are not taken for others', async () => {
    await using nats = await startNats(command);
    const options = { urls: nats.urls, name: 'laxer', shards: 2, clock: systemClock };
    const lax = new JetStreamStore({ ...options, fsync: 'os' });
    await lax.open();
    await lax.close();
    await expect(new JetStreamStore({ ...options, fsync: 'commit' }).open()).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/stream laxer-meta was made with -cluster-fsync os/),
    });
  });

  it('a node that cannot open everything leaves no connection behind', async () => {
    await using nats = await startNats(command);
    const { urls } = nats;
    const own = await connectToNats({ urls, fsync: 'os' });
    const shared = { name: 'half-shared', subjects: ['half.shared.>'], isLastOnly: true, expires: true };
    await patiently(() => makeStream(new JetStream(own), shared, 'os'));
    await own.close();
    const logger = { info: () => {}, warn: () => {} };
    await expect(openCluster({ urls, name: 'half', fsync: 'commit', logger })).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/stream half-shared was made with -cluster-fsync os/),
    });
    for (const { monitorUrl } of nats.servers) {
      await eventually(async () => {
        const answer = await fetch(`${monitorUrl}/connz`);
        return ((await answer.json()) as { num_connections: number }).num_connections === 0;
      }, 'the end of all connections');
    }
  });

  it('one server holds logs alone, which is known, if its monitor says that it syncs', async () => {
    await using nats = await startNats(command, { servers: 1 });
    const options = {
      urls: nats.urls,
      name: 'alone',
      shards: 2,
      clock: systemClock,
      fsync: 'commit',
    } as const;
    await expect(new JetStreamStore(options).open()).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/is on its own.*-cluster-monitor.*or take -cluster-fsync os/),
    });
    const monitors = nats.servers.map(({ monitorUrl }) => monitorUrl);
    for (const store of [
      new JetStreamStore({ ...options, monitors }),
      new JetStreamStore({ ...options, monitors }),
    ]) {
      await store.open();
      expect(store.replicas).toBe(1);
      await store.close();
    }
  });

  it('a monitor tells of a server that does not sync, and one that does not answer is no proof', async () => {
    await using nats = await startNats(command, { servers: 1, isSynced: false });
    const [server] = nats.servers;
    const refused = (monitors: string[]) => refusal({ urls: nats.urls, fsync: 'commit', monitors });
    const lossy = await refused([server.monitorUrl]);
    expect(lossy).toMatchObject({ code: 'unsupported' });
    expect(lossy.message).toMatch(
      /n1 \(http.*acknowledges what a power cut takes away: write sync_interval: always/,
    );
    const away = `http://127.0.0.1:${await freePort()}`;
    expect(await refused([away])).toMatchObject({ code: 'unavailable' });
    expect((await refused([away, server.monitorUrl])).message).toContain('sync_interval');
    expect((await refused([server.url.replace('nats', 'http')])).code).toBe('unavailable');
  });
});

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
