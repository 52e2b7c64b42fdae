import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import {
  brokerProcess,
  program,
  REPORTING,
  run,
  start,
  startBrokerProcess,
} from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { connectRaw, openStream, RawClient } from '../support/raw-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a unix socket', () => {
  const flagsOf = (path: string) => ['-network', 'unix', '-address', path];

  it('of a broker that was killed is replaced', async () => {
    const path = join(folder, 'killed.sock');
    const killed = await startBrokerProcess(flagsOf(path));
    await killed.stop('SIGKILL');
    expect(statSync(path).isSocket()).toBe(true);
    await using broker = await startBrokerProcess(flagsOf(path));
    await using client = await connectRaw(broker.url, 'client');
    await client.ping();
  });

  it('of a living broker is not', async () => {
    const path = join(folder, 'living.sock');
    await using broker = await startBrokerProcess(flagsOf(path));
    // The folder of the living one is taken too, and that is another complaint.
    const flags = [...flagsOf(path), '-data-dir', join(folder, 'second')];
    expect(await run(program('broker'), flags)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `broker: cannot listen on unix://${path}: another program listens there\n`,
    });
    await using client = await connectRaw(broker.url, 'client');
    await client.ping();
  });

  it('is gone after a stop', async () => {
    const path = join(folder, 'stopped.sock');
    const broker = await startBrokerProcess(flagsOf(path));
    await broker.stop();
    expect(existsSync(path)).toBe(false);
  });

  it('never replaces a file', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'precious');
    // The folder of the living one is taken too, and that is another complaint.
    const flags = [...flagsOf(path), '-data-dir', join(folder, 'second')];
    expect(await run(program('broker'), flags)).toMatchObject({
      code: 1,
      stderr: `broker: cannot listen on unix://${path}: the file there is not a socket\n`,
    });
    expect(statSync(path).size).toBe('precious'.length);
  });

  it('in no folder is refused in one line', async () => {
    const path = join(folder, 'none', 'broker.sock');
    // The folder of the living one is taken too, and that is another complaint.
    const flags = [...flagsOf(path), '-data-dir', join(folder, 'second')];
    expect(await run(program('broker'), flags)).toMatchObject({
      code: 1,
      stderr: `broker: cannot listen on unix://${path}: no such folder\n`,
    });
  });
});

describe('a port that is taken', () => {
  it('and was named is an error in one line', async () => {
    const { server, port } = await takePort(0);
    const ended = await run(program('broker'), ['-address', `localhost:${port}`]);
    expect(ended).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `broker: cannot listen on tcp://localhost:${port}: the port is taken by another program\n`,
    });
    server?.close();
  });

  it('closes the other listeners that were named', async () => {
    const { server, port } = await takePort(0);
    const path = join(folder, 'other.sock');
    const ended = await run(program('broker'), ['-listen', `unix://${path},tcp://localhost:${port}`]);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(existsSync(path)).toBe(false);
    server?.close();
  });

  it('and is a default one is left closed; where all of them are, that is the end', async () => {
    // Other programs of this machine may have taken them; that is as good.
    const [frames, kafka, grpc, http] = await Promise.all([1883, 9092, 8097, 8080].map(takePort));
    const inFolder = { cwd: mkdtempSync(join(folder, 'default-')) };
    const refused = (port: number, scheme = 'tcp') =>
      `broker: cannot listen on ${scheme}://localhost:${port}: the port is taken by another program`;
    const { code, stderr } = await run(program('broker'), [], inFolder);
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toEqual([
      `${refused(1883)}; left closed`,
      `${refused(9092)}; left closed`,
      `${refused(8097, 'grpc')}; left closed`,
      refused(8080, 'http'),
    ]);

    if (grpc.server !== undefined) {
      grpc.server.close();
      await using broker = await brokerProcess(start(program('broker'), REPORTING, inFolder));
      expect(JSON.parse(broker.stdout())).toMatchObject({
        listeners: [],
        kafka: [],
        grpc: ['grpc://localhost:8097'],
        http: [],
      });
    }
    for (const { server } of [frames, kafka, http]) server?.close();
  });
});

describe('a process that may open no more files', () => {
  it('serves those who are there, and takes in more when some have left', async () => {
    const limited = `ulimit -n 64 && exec "$0" "$@"`;
    await using broker = await brokerProcess(
      start('sh', ['-c', limited, program('broker'), '-address', 'localhost:0', ...REPORTING]),
    );
    const publisher = await connectRaw(broker.url, 'publisher');
    const subscriber = await connectRaw(broker.url, 'subscriber');
    await subscriber.subscribe('still/served');

    // Some of them get in; the others wait or are closed.
    const crowd: RawClient[] = [];
    for (let index = 0; index < 100; index++) {
      const client = new RawClient(await openStream(broker.url), `crowd-${index}`);
      client.send(FrameType.connect);
      crowd.push(client);
    }
    await eventually(async () => ((await broker.stats()).clients as number) >= 20, 'a crowd of clients');
    await eventually(async () => {
      const { clients } = await broker.stats();
      return clients === (await broker.stats()).clients;
    }, 'no more clients');
    expect((await broker.stats()).clients).toBeLessThan(64);
    for (let index = 0; index < 100; index++) publisher.publish('still/served', String(index));
    for (let index = 0; index < 100; index++) expect((await subscriber.message())[1]).toBe(String(index));
    // A crowd at the door is no reason to fill the disk with log lines.
    expect(broker.log().length).toBeLessThan(1000);

    for (const client of crowd) client.stream.destroy();
    await eventually(async () => (await broker.stats()).clients === 2, 'the crowd to be gone');
    await using late = await connectRaw(broker.url, 'late');
    await late.ping();
    expect(await broker.stop()).toMatchObject({ code: 0 });
  });
});

/** Listens on a port of localhost; no server where another program has it already. */
function takePort(wanted: number): Promise<{ server: Server | undefined; port: number }> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve({ server: undefined, port: wanted });
      else reject(error);
    });
    server.listen(wanted, '127.0.0.1', () => {
      resolve({ server, port: (server.address() as { port: number }).port });
    });
  });
}
