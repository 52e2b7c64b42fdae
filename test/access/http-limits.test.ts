import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { AccessDirectory } from '../../internal/access/directory.ts';
import type { Limit } from '../../internal/access/limits/limit.ts';
import { AccessEntries } from '../../internal/persistence/access-entries.ts';
import { SqliteStore } from '../../internal/store/sqlite/sqlite-store.ts';
import { TestEventSource } from '../support/event-source.ts';
import { eventually } from '../support/eventually.ts';
import { type HttpBroker, startHttp } from '../support/http-door.ts';
import { StillClock } from '../support/still-clock.ts';

const PATIENCE = { timeout: 40_000 };
let folder: string | undefined;
afterEach(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true });
  folder = undefined;
});

interface Limited extends HttpBroker {
  clock: StillClock;
}

/** A broker that gives these limits to each client by its id. */
async function start(limits: Record<string, Limit['values']>): Promise<Limited> {
  folder = await mkdtemp(join(tmpdir(), 'tinymq-http-limits-'));
  const store = new SqliteStore({ directory: folder, fsync: 'os' });
  await store.open();
  const directory = await AccessDirectory.open(new AccessEntries(store));
  await directory.edit(
    Object.entries(limits).map(([id, values]) => ({
      kind: 'put-limit',
      limit: { id, ...(id !== 'everybody' && { client: id }), values },
    })),
  );
  await store.close();
  const clock = new StillClock();
  const options = { dataDir: folder, memory: false, allowAnonymous: true, sysIntervalMs: 0, clock };
  return { ...(await startHttp(options)), clock };
}

function publish(http: string, client: string, body: string | ReadableStream = 'x'): Promise<Response> {
  const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
  return fetch(`${http}/topics/t?client=${client}`, init);
}

async function statuses(answers: Promise<Response>[]): Promise<number[]> {
  return (await Promise.all(answers)).map(({ status }) => status);
}

it('messages beyond a rate are refused with the time to wait, and nobody else is', async () => {
  const { http, clock, broker } = await start({ busy: { messagesInPerSecond: 3 } });
  const many = await statuses(Array.from({ length: 10 }, () => publish(http, 'busy')));
  expect(many.filter((status) => status === 202)).toHaveLength(3);
  expect(many.filter((status) => status === 429)).toHaveLength(7);
  const refused = await publish(http, 'busy');
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(await refused.json()).toMatchObject({ status: 429, code: 'rate-exceeded' });
  expect(await statuses(Array.from({ length: 10 }, () => publish(http, 'other')))).toEqual(
    Array(10).fill(202),
  );
  await clock.advance(1_000);
  expect(await statuses([publish(http, 'busy')])).toEqual([202]);
  // It publishes too much, and may still read.
  expect((await fetch(`${http}/topics/%23?client=busy`)).status).toBe(200);
  expect(broker.stats()['throttled_total{door="http",code="rate-exceeded"}']).toBe(8);
});

it('bytes of a body count, with and without a length; the longer the body, the longer the wait', async () => {
  const { http, clock } = await start({
    big: { bytesInPerSecond: 10_000 },
    streamed: { bytesInPerSecond: 10_000 },
  });
  const body = 'x'.repeat(100_000);
  for (const [client, sent] of [
    ['big', body],
    ['streamed', new Blob([body]).stream()],
  ] as const) {
    expect((await publish(http, client, sent)).status).toBe(202);
    // What a body without a length had is counted when the answer is out.
    await expect.poll(async () => (await publish(http, client)).status, PATIENCE).toBe(429);
    const waitS = Number((await publish(http, client)).headers.get('retry-after'));
    expect(waitS).toBeGreaterThan(8);
    expect(waitS).toBeLessThan(15);
  }
  await clock.advance(20_000);
  expect(await statuses([publish(http, 'big'), publish(http, 'streamed')])).toEqual([202, 202]);
});

it('bytes of answers count for the request after it', async () => {
  const { http, clock } = await start({ reader: { bytesOutPerSecond: 1_000 } });
  await fetch(`${http}/topics/t?retain`, { method: 'POST', body: 'x'.repeat(5_000) });
  const read = () => fetch(`${http}/topics/t?client=reader`);
  expect(await (await read()).text()).toHaveLength(5_000);
  await expect.poll(async () => (await read()).status, PATIENCE).toBe(429);
  await clock.advance(30_000);
  expect((await read()).status).toBe(200);
});

it('a stream of events goes no faster than its client may get messages; nothing is lost', async () => {
  const { http, clock } = await start({ slow: { messagesOutPerSecond: 10 } });
  const slow = await TestEventSource.open(`${http}/topics/t?follow&client=slow`);
  const quick = await TestEventSource.open(`${http}/topics/t?follow&client=quick`);
  for (let round = 1; round <= 3; round++) {
    for (let index = 0; index < 20; index++) await publish(http, 'p', String(20 * (round - 1) + index));
    await quick.has(20 * round);
    expect(slow.events.length).toBeLessThan(20 * round);
    for (let step = 0; slow.events.length < 20 * round; step++) {
      await clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (step > 2_000) throw new Error(`only ${slow.events.length} came`);
    }
  }
  expect(slow.payloads).toEqual(Array.from({ length: 60 }, (_, index) => String(index)));
  // 60 of them at 10 a second, less what a rest allows, and less the last round, which may still be owed.
  expect(clock.elapsedMs()).toBeGreaterThanOrEqual(3_000);
});

it('connections count, streams among them, until they close; requests of one connection count once', async () => {
  const { http, broker } = await start({ everybody: { connections: 2 } });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let time = 0; time < 5; time++)
    expect((await get(agent, `${http}/topics/a?client=${time}`)).statusCode).toBe(404);
  const stream = await TestEventSource.open(`${http}/topics/t?follow`);
  expect(stream.response.status).toBe(200);
  const other = new Agent({ keepAlive: true });
  const refused = await get(other, `${http}/topics/a`);
  expect([refused.statusCode, refused.headers['retry-after'], refused.headers.connection]).toEqual([
    429,
    '1',
    'close',
  ]);
  // Whoever watches the process is not bounded.
  expect((await get(other, `${http}/healthz`)).statusCode).toBe(200);
  stream.close();
  await expect.poll(async () => (await get(other, `${http}/topics/a`)).statusCode, PATIENCE).toBe(404);
  agent.destroy();
  other.destroy();
  await expect.poll(() => broker.stats()['connections{door="http"}'], PATIENCE).toBe(0);
});

it('new connections of one second are bounded; requests over one that is open are not', async () => {
  const { http, clock } = await start({ loop: { connectionsPerSecond: 2 } });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const url = `${http}/topics/a?client=loop`;
  for (let time = 0; time < 20; time++) expect((await get(agent, url)).statusCode).toBe(404);
  let refused = 0;
  let isOver = false;
  const others = Array.from({ length: 30 }, async () => {
    const { statusCode } = await get(new Agent(), url);
    if (statusCode === 429) refused++;
    return statusCode;
  });
  const settled = Promise.all(others).finally(() => (isOver = true));
  // Those who would wait long are told at once; the others wait for their turn.
  await eventually(() => refused > 5, 'the refusals');
  while (!isOver) {
    await clock.advance(100);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const codes = await settled;
  expect(codes.filter((code) => code === 404).length).toBeGreaterThan(5);
  expect(codes.filter((code) => code === 429).length).toBe(refused);
  agent.destroy();
});

function get(agent: Agent, url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { agent }, (answer) => {
      answer.resume().once('end', () => resolve(answer));
    })
      .once('error', reject)
      .end();
  });
}
