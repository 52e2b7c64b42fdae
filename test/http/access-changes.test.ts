import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { makePassword } from '../../internal/access/users/passwords.ts';
import { AdminClient, socketTransport } from '../../internal/admin/client.ts';
import type { Preview } from '../../internal/admin/operations/preview.ts';
import type { ShownRule } from '../../internal/admin/operations/rules.ts';
import { addUser, alterUser } from '../../internal/admin/operations/users.ts';
import { adminSocketPath } from '../../internal/admin/socket-path.ts';
import { maxWaitingHashes } from '../../internal/limits/access.ts';
import { connect } from '../../pkg/client/index.ts';
import type { BrokerOptions } from '../../pkg/embed/index.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { getJson, startHttp } from '../support/http-door.ts';

/** Asks as ada, who may do everything. */
type Ask = (method: string, path: string, body?: object) => Promise<Answer>;

interface Answer {
  status: number;
  text: string;
  json: Record<string, unknown>;
}

function asking(http: string, user = 'ada', password = 'first'): Ask {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  return async (method, path, body) => {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { authorization, ...type };
    const answer = await fetch(`${http}${path}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, text, json: JSON.parse(text) as Record<string, unknown> };
  };
}

/** A broker whose first user was made over HTTP, by somebody who was nobody yet. */
async function startWithAda(options: BrokerOptions = {}) {
  const started = await startHttp(options);
  const body = { name: 'ada', newPassword: 'first', admin: true };
  expect((await asking(started.http)('POST', '/users', body)).status).toBe(200);
  return { ...started, ask: asking(started.http) };
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-access-changes-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

it('a password goes to the broker, which hashes it and tells nobody', async () => {
  const { ask, http, frames } = await startWithAda();
  const added = await ask('POST', '/users', { name: 'ben', newPassword: 'wonder-land', groups: ['staff'] });
  expect([added.status, added.json]).toEqual([200, { rulesAboutUser: false }]);
  await ask('POST', '/rules', { rule: { allow: ['publish', 'subscribe'], users: 'ben', topics: 'a' } });
  // On every door, and by SCRAM too.
  await (await connect(frames, { user: 'ben', password: 'wonder-land' })).close();
  const { text, json } = await ask('GET', '/users');
  expect(text).not.toContain('wonder-land');
  expect(json).toMatchObject([{ name: 'ada' }, { hasPassword: true, mechanisms: { length: 2 } }]);
  expect((await ask('PATCH', '/users/ben', { newPassword: 'other-land' })).json).toEqual({});
  const me = async (password: string) => (await asking(http, 'ben', password)('GET', '/me')).status;
  expect([await me('wonder-land'), await me('other-land')]).toEqual([401, 200]);
});

it.each([
  [{ name: 'ben', newPassword: '' }, 400, 'invalid-change'],
  [{ name: 'ben', newPassword: 'SECRET\u0007' }, 400, 'invalid-change'],
  [{ name: 'ben', newPassword: 'SECRET'.repeat(200) }, 400, 'invalid-change'],
  [{ name: 'ben', newPassword: 'SECRET', scram: [] }, 400, 'invalid-change'],
  [{ name: 'ben', newPassword: 5 }, 400, 'malformed-http-request'],
  [{ name: '*', newPassword: 'SECRET' }, 400, 'invalid-change'],
  [{ name: 'ada', newPassword: 'SECRET' }, 409, 'already-exists'],
])('a user that cannot be is refused, without its password: %o', async (body, status, code) => {
  const { ask } = await startWithAda();
  const answer = await ask('POST', '/users', body);
  expect([answer.status, answer.json.code]).toEqual([status, code]);
  expect(answer.text).not.toContain('SECRET');
});

// The parser of JSON quotes what it could not read.
it('a body that is no JSON is refused without what stands in it', async () => {
  const { http } = await startWithAda();
  const authorization = `Basic ${Buffer.from('ada:first').toString('base64')}`;
  for (const [path, headers] of [
    ['/users', { authorization }],
    ['/login', {}],
  ] as const) {
    const answer = await fetch(`${http}${path}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: '{"name": "ben", "password": SECRET}',
    });
    expect([path, answer.status, await answer.text()]).toEqual([
      path,
      400,
      expect.not.stringContaining('SECRET'),
    ]);
  }
});

it('passwords wait in the queue of the logins, and are refused where that is full', async () => {
  const { ask } = await startWithAda();
  const many = Array.from({ length: maxWaitingHashes + 20 }, (_, n) =>
    ask('POST', '/users', { name: `user-${n}`, newPassword: 'secret' }),
  );
  const answers = await Promise.all(many);
  const refused = answers.filter(({ status }) => status !== 200);
  expect(refused.length).toBeGreaterThan(0);
  for (const { status, json } of refused) expect([status, json.code]).toEqual([429, 'too-many-logins']);
}, 60_000);

it('what the file of users names is changed there, and the answer says so', async () => {
  const usersFile = join(temporaryFolder(), 'users.json');
  const { password } = await makePassword('first');
  const rules = [{ id: 'mine', allow: 'all', users: 'ada' }];
  const limits = [{ user: 'ada', connections: 100 }];
  writeFileSync(usersFile, JSON.stringify({ users: { ada: { password } }, rules, limits }));
  const { http } = await startHttp({ usersFile });
  const ask = asking(http);
  for (const [method, path, body] of [
    ['POST', '/users', { name: 'ada', newPassword: 'x' }],
    ['PATCH', '/users/ada', { newPassword: 'x' }],
    ['DELETE', '/users/ada', undefined],
    ['PATCH', '/rules/mine', { place: 'first' }],
    ['DELETE', '/rules/mine', undefined],
    ['PATCH', '/limits/file-1', { limit: { user: 'ada', connections: 1 } }],
    ['DELETE', '/limits/file-1', undefined],
    ['POST', '/access/preview', { change: { kind: 'remove-user', name: 'ada' } }],
  ] as const) {
    const { status, json } = await ask(method, path, body);
    expect([method, path, status, json.code]).toEqual([method, path, 409, 'declared-in-file']);
    expect(json.detail).toContain('change it there');
  }
});

it('the owner has the same operations over the socket', async () => {
  const dataDir = temporaryFolder();
  const { http } = await startHttp({ memory: false, dataDir, adminSocket: true });
  const owner = new AdminClient(socketTransport(adminSocketPath(dataDir)));
  await owner.call(addUser, { name: 'ada', newPassword: 'first', admin: true });
  await owner.call(alterUser, { name: 'ada', newPassword: 'next' });
  expect((await asking(http)('GET', '/me')).status).toBe(401);
  expect((await asking(http, 'ada', 'next')('GET', '/me')).json).toMatchObject({ may: { admin: true } });
});

it('rules are put in a place, moved and changed, and stay so', async () => {
  const options = { memory: false, dataDir: temporaryFolder() };
  const { ask, broker } = await startWithAda(options);
  const rule = (id: string, more: object = {}) => ({
    id,
    allow: 'publish',
    users: 'ben',
    topics: id,
    ...more,
  });
  for (const [id, place] of [
    ['b', 'last'],
    ['d', 'last'],
    ['a', { before: 'b' }],
    ['c', { before: 'd' }],
  ] as const) {
    expect((await ask('POST', '/rules', { rule: rule(id), place })).status).toBe(200);
  }
  const orderNow = async (now = ask) =>
    ((await now('GET', '/rules')).json as unknown as ShownRule[]).map(({ id }) => id).join(' ');
  expect(await orderNow()).toBe('admin a b c d');
  for (const [id, place, order] of [
    ['d', 'first', 'd admin a b c'],
    ['d', { before: 'b' }, 'admin a d b c'],
    ['a', 'last', 'admin d b c a'],
    ['c', { before: 'b' }, 'admin d c b a'],
  ] as const) {
    expect((await ask('PATCH', `/rules/${id}`, { place })).json).toEqual({});
    expect(await orderNow()).toBe(order);
  }
  expect((await ask('PATCH', '/rules/c', { rule: rule('c', { topics: 'other' }) })).status).toBe(200);
  for (const [path, body, status] of [
    ['/rules/none', { place: 'first' }, 404],
    ['/rules/c', { place: { before: 'none' } }, 404],
    ['/rules/c', { place: { before: 'c' } }, 404],
    ['/rules/c', { rule: { allow: 'fly', users: 'ben' } }, 400],
    ['/rules/c', { place: 'middle' }, 400],
  ] as const) {
    expect([body, (await ask('PATCH', path, body)).status]).toEqual([body, status]);
  }
  await broker.close();
  const again = asking((await startHttp(options)).http);
  expect(await orderNow(again)).toBe('admin d c b a');
  const rules = (await again('GET', '/rules')).json as unknown as ShownRule[];
  expect(rules[2]).toMatchObject({ id: 'c', text: 'allow publish on topics other for users ben' });
});

it('limits are changed where they stand', async () => {
  const { ask } = await startWithAda();
  await ask('POST', '/limits', { id: 'calm', limit: { user: 'ben', connections: 5 } });
  const limit = { group: 'staff', inflight: 7 };
  expect((await ask('PATCH', '/limits/calm', { limit })).json).toEqual({
    text: 'inflight 7 for group staff',
  });
  expect((await ask('GET', '/limits')).json).toMatchObject([{ id: 'calm', limit }]);
  expect((await ask('PATCH', '/limits/none', { limit })).json.code).toBe('no-such-object');
  expect((await ask('PATCH', '/limits/calm', { limit: { inflight: 0 } })).json.code).toBe('invalid-change');
});

it('a preview tells who would lose what, and changes nothing', async () => {
  const { ask, frames } = await startWithAda();
  await ask('POST', '/users', { name: 'ben', newPassword: 'secret', groups: ['staff'] });
  await ask('POST', '/rules', { rule: { id: 'staff', allow: 'subscribe', groups: 'staff', topics: 'a/#' } });
  const ben = { userName: 'ben', password: Buffer.from('secret') };
  const client = await connectMqtt(frames, 5, { clientId: 'pump', ...ben });
  await client.subscribe('a/b');
  await client.subscribe('$share/g/a/#');
  const preview = async (change: object, question?: object) =>
    (await ask('POST', '/access/preview', { change, question })).json as unknown as Preview;
  const harmless = { mayYouAdminister: true, mayAnybodyAdminister: true, closes: false };
  const loss = { client: 'pump', user: 'ben', door: 'mqtt' };

  const deny = { id: 'no', deny: 'subscribe', users: '*', topics: 'a/b' };
  const question = { user: 'ben', action: 'subscribe', kind: 'topic', name: 'a/b' };
  expect(await preview({ kind: 'add-rule', rule: deny, place: { before: 'staff' } }, question)).toMatchObject(
    {
      ...harmless,
      losses: [
        { ...loss, filter: 'a/b', rule: 'rule 2, no: deny subscribe on topics a/b' },
        { ...loss, filter: '$share/g/a/#' },
      ],
      lossCount: 2,
      verdict: {
        before: { isAllowed: true, rule: { id: 'staff' } },
        after: { isAllowed: false, rule: { id: 'no', position: 2 } },
      },
    },
  );
  // Behind the one that allows it, it decides nothing.
  expect(await preview({ kind: 'add-rule', rule: deny })).toEqual({ ...harmless, losses: [], lossCount: 0 });
  expect(await preview({ kind: 'remove-rule', id: 'staff' })).toMatchObject({ ...harmless, lossCount: 2 });
  expect(await preview({ kind: 'alter-user', name: 'ben', groups: [] })).toMatchObject({ lossCount: 2 });
  for (const change of [
    { kind: 'remove-user', name: 'ben' },
    { kind: 'alter-user', name: 'ben', enabled: false },
  ]) {
    const { losses, lossCount } = await preview(change);
    expect(losses).toMatchObject([loss]);
    expect([losses[0]!.filter, lossCount]).toEqual([undefined, 1]);
  }
  const noAdministrator = { mayYouAdminister: false, mayAnybodyAdminister: false };
  for (const change of [
    { kind: 'remove-user', name: 'ada' },
    { kind: 'alter-user', name: 'ada', groups: [] },
    { kind: 'remove-rule', id: 'admin' },
    { kind: 'add-rule', rule: { deny: 'admin', users: '*' }, place: 'first' },
  ])
    expect(await preview(change)).toMatchObject(noAdministrator);
  const grown = { kind: 'add-rule', rule: { allow: 'admin', users: 'ben' } };
  await ask('POST', '/rules', { rule: grown.rule });
  expect(await preview({ kind: 'remove-user', name: 'ada' })).toMatchObject({
    mayYouAdminister: false,
    mayAnybodyAdminister: true,
  });
  expect((await ask('POST', '/access/preview', { change: { kind: 'remove-rule', id: 'none' } })).status).toBe(
    404,
  );
  expect((await ask('POST', '/access/preview', { change: { kind: 'wish' } })).status).toBe(400);
  expect((await ask('GET', '/rules')).json).toHaveLength(3);
  client.drop();
});

it('a preview of the first user says that the broker closes, and for whom', async () => {
  const { http, frames } = await startHttp();
  const client = await connectMqtt(frames, 5, { clientId: 'pump' });
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ change: { kind: 'add-user', name: 'ada', admin: true } });
  const told = await getJson<Preview>(`${http}/access/preview`, { method: 'POST', headers, body });
  expect(told).toMatchObject({
    ...{ closes: true, mayYouAdminister: false, mayAnybodyAdminister: true },
    losses: [{ client: 'pump', door: 'mqtt', reason: 'clients have to show who they are' }],
  });
  expect(await getJson(`${http}/users`)).toEqual([]);
  client.drop();
});
