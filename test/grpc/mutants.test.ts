import { randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GrpcDoor } from '../../internal/doors/grpc/door.ts';
import { tailCacheBytes } from '../../internal/limits/log.ts';
import { Metrics } from '../../internal/observe/metrics.ts';
import { FakeConnection } from '../support/fake-connection.ts';
import { KeptLog, openLogs } from '../support/logs.ts';
import { TestClient } from './grpc-client.ts';
import { Mutants } from './mutants.ts';
import { type SmqProcess, startSmq, stopSmq } from './smq-process.ts';

/*
 * Conversations of HTTP/2 that are right but for a few frames: whatever comes of a connection, the door goes on, and
 * nothing of it stays. The runtime's own HTTP/2 aborted the process after some hundred thousand frames of this kind.
 * `make fuzz` is a long run.
 */

const RUN_MS = Number(process.env.FUZZ_SECONDS ?? 5) * 1_000;
const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));

it(
  'in this process: nothing that comes in throws, and every call is over in the end',
  async () => {
    const { logs } = await openLogs();
    await logs.createTopic('t', 1, {});
    const metrics = new Metrics();
    const log = new KeptLog();
    const door = new GrpcDoor({ logs, metrics, log });
    const mutants = new Mutants(seed);
    const endsAt = performance.now() + RUN_MS;
    let frames = 0;
    while (performance.now() < endsAt) {
      const open: FakeConnection[] = [];
      for (let count = 0; count < 8; count++) {
        const connection = new FakeConnection();
        door.open(connection, new Uint8Array(0));
        const conversation = mutants.conversation();
        for (const piece of conversation.pieces) if (!connection.isEnded) connection.handler.bytes(piece);
        frames += conversation.frames;
        open.push(connection);
      }
      await new Promise((resolve) => setImmediate(resolve));
      for (const connection of open) connection.handler.closed();
      log.lines.splice(0).forEach((line) => {
        expect(line, `seed ${seed}`).not.toMatch(/^error/);
      });
      log.fields.length = 0;
    }
    expect(metrics.snapshot(), `seed ${seed}`).toMatchObject({ grpc_connections: 0, grpc_calls: 0 });
    console.log(`${frames} frames in this process, seed ${seed}`);
    await door.close(0);
    await logs.close();
  },
  RUN_MS + 60_000,
);

describe('against a process of its own', () => {
  let folder: string;
  let smq: SmqProcess;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tinymq-mutants-'));
    smq = await startSmq(['--dbpath', join(folder, 'db'), '-log-level', 'error']);
    const client = new TestClient(smq.url);
    await client.unary('CreateTopic', { topic: 't' });
    client.close();
  });
  afterAll(async () => {
    await stopSmq(smq);
    rmSync(folder, { recursive: true });
  });

  it(
    'it goes on, keeps no socket, and its memory comes back',
    async () => {
      const mutants = new Mutants(seed);
      let frames = 0;
      const talkFor = async (ms: number) => {
        const endsAt = performance.now() + ms;
        while (performance.now() < endsAt && smq.child.exitCode === null && smq.child.signalCode === null) {
          const talks = Array.from({ length: 16 }, () => {
            const conversation = mutants.conversation();
            frames += conversation.frames;
            return talk(smq.port, conversation.pieces);
          });
          await Promise.all(talks);
        }
      };
      // What a process takes for the first time stays.
      await talkFor(RUN_MS / 5);
      await vi.waitUntil(() => socketsOf(smq.child.pid!) <= 3, { timeout: 30_000 });
      const before = residentBytes(smq.child.pid!);
      await talkFor((RUN_MS * 4) / 5);
      expect([smq.child.exitCode, smq.child.signalCode], `seed ${seed}: ${smq.stderr()}`).toEqual([
        null,
        null,
      ]);
      const client = new TestClient(smq.url);
      expect(await client.unary('Connect', {})).toEqual({});
      client.close();
      await vi.waitUntil(() => socketsOf(smq.child.pid!) <= 3, { timeout: 30_000, interval: 200 });
      const growth = residentBytes(smq.child.pid!) - before;
      console.log(`${frames} frames, seed ${seed}; memory grew by ${Math.round(growth / 2 ** 20)} MiB`);
      // Beside what logs keep in memory of the messages that were taken.
      expect(growth, `seed ${seed}`).toBeLessThan(100 * 2 ** 20 + tailCacheBytes);
      expect(smq.stderr(), `seed ${seed}`).not.toContain('internal-error');
    },
    RUN_MS * 2 + 90_000,
  );
});

/** Says something, and resolves when the server has closed the connection or has nothing to say any more. */
function talk(port: number, pieces: readonly Buffer[]): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.on('end', () => socket.destroy());
    socket.on('data', () => quiet.refresh());
    const quiet = setTimeout(() => socket.destroy(), QUIET_MS);
    socket.on('connect', () => {
      for (const piece of pieces) socket.write(piece);
      quiet.refresh();
    });
  });
}

const QUIET_MS = 30;

/** Sockets of TCP that a process has, those that listen among them. */
function socketsOf(pid: number): number {
  const inodes = new Set<string>();
  for (const table of ['tcp', 'tcp6']) {
    const rows = readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trim().split('\n').slice(1);
    for (const row of rows) inodes.add(row.trim().split(/\s+/)[9]);
  }
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(join(folder, name)))?.[1];
      return inode !== undefined && inodes.has(inode);
    } catch {
      return false;
    }
  }).length;
}

function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line![1]) * 1024;
}
