import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../../pkg/client/index.ts';
import { eventually } from '../support/eventually.ts';
import { type FakeCluster, fakeCluster } from '../support/fake-cluster.ts';

let cluster: FakeCluster;

beforeEach(async () => {
  cluster = await fakeCluster(3, { http: { listen: ['http://127.0.0.1:0'] } });
});

afterEach(() => cluster.close());

/** Asks a node over HTTP, as ada unless told otherwise; again where the machine has too many passwords to hash. */
async function ask(node: number, method: string, path: string, body?: object, login = 'ada:first') {
  const authorization =
    login === '' ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
  const headers = { ...authorization, ...(body && { 'content-type': 'application/json' }) };
  const url = `${cluster.urlOf(node, 'http')}${path}`;
  const answer = await eventually(async () => {
    const got = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
    return got.status === 429 ? undefined : got;
  }, 'time for a password');
  return { status: answer.status, json: (await answer.json()) as { name?: string }[] };
}

const addAda = () => ask(0, 'POST', '/users', { name: 'ada', newPassword: 'first', admin: true }, '');
const addUser = (node: number, name: string) => ask(node, 'POST', '/users', { name, newPassword: 'wonder' });

async function usersOf(node: number): Promise<string[]> {
  const { json } = await ask(node, 'GET', '/users');
  return json.map(({ name }) => name!);
}

/** Waits until all nodes have these users. */
async function untilUsers(names: readonly string[], nodes = [0, 1, 2]): Promise<void> {
  await eventually(async () => {
    const found = await Promise.all(nodes.map(usersOf));
    return found.every((each) => each.join() === names.join());
  }, `the users ${names.join()}`);
}

const statusOf = async (node: number, login: string) =>
  (await ask(node, 'GET', '/me', undefined, login)).status;

describe('users, rules and limits of a cluster', { timeout: 120_000 }, () => {
  it('hold on every node, also on one that starts later', async () => {
    expect((await addAda()).status).toBe(200);
    await eventually(async () => (await statusOf(2, 'ada:wrong')) === 401, 'a refusal on another node');
    expect((await addUser(1, 'ben')).status).toBe(200);
    await untilUsers(['ada', 'ben']);
    await cluster.start();
    await untilUsers(['ada', 'ben'], [3]);
    expect([await statusOf(3, 'ben:wonder'), await statusOf(3, 'ben:other')]).toEqual([200, 401]);
  });

  it('that are withdrawn end connections on every node', async () => {
    await addAda();
    await eventually(async () => (await addUser(1, 'ben')).status === 200, 'the user');
    const rule = { allow: ['publish', 'subscribe'], users: 'ben', topics: 'a' };
    await ask(2, 'POST', '/rules', { rule });
    const login = { user: 'ben', password: 'wonder', reconnect: false } as const;
    const clients = await eventually(
      () =>
        Promise.all([0, 1, 2].map((node) => connect(cluster.urlOf(node, 'frames'), login))).catch(
          () => undefined,
        ),
      'connections to all nodes',
    );
    const ends = clients.map((client) => new Promise<unknown>((resolve) => client.on('close', resolve)));
    expect((await ask(0, 'DELETE', '/users/ben')).status).toBe(200);
    await Promise.all(ends);
    await untilUsers(['ada']);
  });

  it('are all there when nodes add some at once', async () => {
    await addAda();
    await eventually(
      async () => (await statusOf(1, 'ada:first')) === 200 && (await statusOf(2, 'ada:first')) === 200,
      'ada everywhere',
    );
    const adding = Array.from({ length: 12 }, (_, index) =>
      ask(index % 3, 'POST', '/rules', { rule: { allow: 'publish', users: 'ada', topics: `t/${index}` } }),
    );
    expect((await Promise.all(adding)).map(({ status }) => status)).toEqual(adding.map(() => 200));
    await eventually(async () => {
      const found = await Promise.all([0, 1, 2].map(async (node) => (await ask(node, 'GET', '/rules')).json));
      return found.every(({ length }) => length === found[0]!.length && length >= 12);
    }, 'all rules everywhere');
  });

  it('are refused while they cannot last, and go on afterwards', async () => {
    await addAda();
    cluster.shared.tables.isAway = true;
    expect((await addUser(0, 'ben')).status).toBe(503);
    cluster.shared.tables.isAway = false;
    expect(await usersOf(0)).toEqual(['ada']);
    expect((await addUser(0, 'ben')).status).toBe(200);
    await untilUsers(['ada', 'ben']);
  });
});
