import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makePassword } from '../../internal/access/users/passwords.ts';
import { OPERATIONS, STREAMS } from '../../internal/admin/all.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { urlOf } from '../support/listeners.ts';

const ACTIONS = ['publish', 'subscribe', 'create', 'delete', 'alter', 'describe', 'admin'];
const RULES = [
  { deny: ACTIONS, users: 'denied', broker: true, topics: '#', consumerGroups: '*', sessions: '*' },
  { allow: 'all', users: 'admin' },
  { allow: 'describe', users: 'reader', broker: true, topics: '#', consumerGroups: '*' },
  { allow: 'subscribe', users: 'neighbour', topics: 'garden/#' },
];
const USERS = ['admin', 'reader', 'neighbour', 'denied'];

const folder = mkdtempSync(join(tmpdir(), 'tinymq-operations-'));
let broker: RunningBroker;
let http = '';

beforeAll(async () => {
  const { password } = await makePassword('right');
  const users = Object.fromEntries(USERS.map((name) => [name, { password }]));
  const usersFile = join(folder, 'users.json');
  writeFileSync(usersFile, JSON.stringify({ users, rules: RULES }));
  const keep = [{ filter: 'garden/log' }, { filter: 'house/log' }];
  broker = await startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], http: { listen: ['http://127.0.0.1:0'] } },
    ...{ memory: true, usersFile, keep },
  });
  http = urlOf(broker, 'http');
  for (const topic of ['garden/hose', 'garden/log', 'house/door', 'house/log'])
    await fetch(`${http}/topics/${topic}?retain&qos=1`, { method: 'POST', body: 'x', headers: as('admin') });
});

afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

function as(user: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${user}:right`).toString('base64')}` };
}

/** Asks for an operation; what its path names is not there. */
async function statusOf({ method, path, body }: (typeof OPERATIONS)[number], user?: string): Promise<number> {
  const url = `${http}${path.replace(/:\w+/g, 'nothing')}`;
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const headers = { ...type, ...(user === undefined ? {} : as(user)) };
  const answer = await fetch(url, { method, headers, ...(body && { body: '{}' }) });
  await answer.text();
  return answer.status;
}

describe.each(OPERATIONS.map((operation) => [operation.name, operation] as const))(
  'the operation %s',
  (_, operation) => {
    const { needs } = operation;

    it('is for those who have shown who they are', async () => {
      expect(await statusOf(operation)).toBe(401);
    });

    it('is for whoever may do all', async () => {
      expect([200, 400, 404]).toContain(await statusOf(operation, 'admin'));
    });

    it(`is ${needs === undefined ? 'for whoever may be here' : 'not for whoever is denied it'}`, async () => {
      const status = await statusOf(operation, 'denied');
      if (needs === undefined) expect(status).toBe(200);
      else expect(status).toBe(403);
    });

    it('changes nothing for who may only look', async () => {
      const status = await statusOf(operation, 'reader');
      if (needs === undefined || needs.action === 'describe') expect([200, 404]).toContain(status);
      else expect(status).toBe(403);
    });
  },
);

it.each(STREAMS)('the stream $name is for whoever may do all', async ({ path }) => {
  const open = (user?: string) =>
    fetch(http + path, { headers: user === undefined ? {} : as(user), signal: AbortSignal.timeout(20_000) });
  const statuses: number[] = [];
  for (const user of [undefined, 'denied', 'reader', 'admin']) {
    const answer = await open(user);
    statuses.push(answer.status);
    await answer.body?.cancel();
  }
  expect(statuses).toEqual([401, 403, 403, 200]);
});

describe('lists of topics', () => {
  const get = async (path: string, user: string) =>
    JSON.stringify(await (await fetch(`${http}${path}`, { headers: as(user) })).json());

  it.each(['/retained', '/tree', '/logs', '/tree?under=house/', '/retained?filter=house/%23'])(
    '%s show what somebody may see',
    async (path) => {
      expect(await get(path, 'reader')).toContain('house');
      expect(await get(path, 'neighbour')).not.toMatch(/"(topic|name)":"house/);
      expect(await get(path, 'denied')).not.toMatch(/"topic":"(house|garden)/);
    },
  );

  it.each(['/retained', '/tree', '/logs'])('%s show a neighbour his garden', async (path) => {
    expect(await get(path, 'neighbour')).toContain('garden');
  });
});

// A body of 64 MiB was read before anybody was asked.
it('whoever is nobody is refused before the body is read', async () => {
  const body = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('['.repeat(1_000))),
  });
  const asked = { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'application/json' } };
  const answer = await fetch(`${http}/import`, asked as RequestInit).catch(() => undefined);
  if (answer !== undefined) expect(answer.status).toBe(401);
});
