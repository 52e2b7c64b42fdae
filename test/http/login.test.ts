import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makePassword } from '../../internal/access/users/passwords.ts';
import { AdminClient, socketTransport } from '../../internal/admin/client.ts';
import { secretsForm } from '../../internal/admin/forms.ts';
import { addRule } from '../../internal/admin/operations/rules.ts';
import { addUser, alterUser } from '../../internal/admin/operations/users.ts';
import { adminSocketPath } from '../../internal/admin/socket-path.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import { httpLoginIdleMs, httpLoginMs, httpLoginsOfUser } from '../../internal/limits/http.ts';
import type { BrokerOptions } from '../../pkg/embed/index.ts';
import { TestEventSource } from '../support/event-source.ts';
import { eventually } from '../support/eventually.ts';
import { getJson, startHttp } from '../support/http-door.ts';

/** A broker with the users ada, who may do everything, and guest, who may publish to `open`. */
async function startWithUsers(options: BrokerOptions = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'tinymq-login-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const { http } = await startHttp({ memory: false, dataDir, adminSocket: true, ...options });
  const owner = new AdminClient(socketTransport(adminSocketPath(dataDir)));
  const secrets = secretsForm(await makePassword('right'));
  await owner.call(addUser, { name: 'ada', admin: true, ...secrets });
  await owner.call(addUser, { name: 'guest', ...secrets });
  await owner.call(addRule, { rule: { id: 'guest', allow: 'publish', users: 'guest', topics: 'open' } });
  return { http, owner };
}

const JSON_TYPE = { 'content-type': 'application/json' };

function login(http: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  const asked = { method: 'POST', body: JSON.stringify(body), headers: { ...JSON_TYPE, ...headers } };
  return fetch(`${http}/login`, asked);
}

/** What a browser sends with the requests of the page. */
async function cookieOf(http: string, user = 'ada'): Promise<Record<string, string>> {
  const answer = await login(http, { user, password: 'right' });
  expect(answer.status).toBe(200);
  return { cookie: answer.headers.get('set-cookie')!.split(';')[0]!, 'sec-fetch-site': 'same-origin' };
}

async function codeOf(answer: Response): Promise<[status: number, code: string]> {
  return [answer.status, ((await answer.json()) as { code: string }).code];
}

async function statusOf(http: string, path: string, headers: Record<string, string>): Promise<number> {
  return (await fetch(`${http}${path}`, { headers })).status;
}

describe('a login with a browser', () => {
  it('gives a cookie that only the page sends, and says who it is', async () => {
    const { http } = await startWithUsers();
    expect(await statusOf(http, '/me', {})).toBe(401);
    const answer = await login(http, { user: 'ada', password: 'right' });
    expect(answer.headers.get('set-cookie')).toMatch(
      /^tinymq-session-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
    );
    expect(await answer.json()).toEqual({
      ...{ user: 'ada', groups: ['admin'] },
      may: { admin: true, describe: true, alter: true },
    });
    const headers = await cookieOf(http, 'guest');
    const me = await (await fetch(`${http}/me`, { headers })).json();
    expect(me).toMatchObject({ user: 'guest', may: { admin: false, describe: false } });
    const post = (topic: string) => fetch(`${http}/topics/${topic}`, { method: 'POST', body: 'x', headers });
    expect([(await post('open')).status, (await post('other')).status]).toEqual([202, 403]);
    expect(await statusOf(http, '/overview', headers)).toBe(403);
    expect(await statusOf(http, '/overview', await cookieOf(http))).toBe(200);
  });

  it('is refused in the same words whether there is such a user or not', async () => {
    const { http } = await startWithUsers();
    const wrong = await login(http, { user: 'ada', password: 'wrong' });
    const unknown = await login(http, { user: 'nobody', password: 'right' });
    expect([wrong.status, unknown.status]).toEqual([401, 401]);
    expect([wrong.headers.get('set-cookie'), await wrong.json()]).toEqual([null, await unknown.json()]);
    for (const body of [
      {},
      { user: 'ada' },
      { user: 1, password: 'x' },
      { user: 'a', password: 'x', more: 1 },
    ])
      expect((await login(http, body)).status).toBe(400);
    expect((await fetch(`${http}/login`, { method: 'POST', body: 'user=ada&password=right' })).status).toBe(
      400,
    );
  });

  it('waits longer after each failure', async () => {
    const clock = new MovableClock();
    const { http } = await startWithUsers({ clock });
    for (let time = 0; time < 4; time++) await login(http, { user: 'guest', password: 'wrong' });
    let isAnswered = false;
    const waiting = login(http, { user: 'guest', password: 'right' }).then((answer) => {
      isAnswered = true;
      return answer.status;
    });
    await statusOf(http, '/livez', {});
    expect(isAnswered).toBe(false);
    await clock.advance(20_000);
    expect(await waiting).toBe(200);
  });

  it('has no window of the browser ask for a password behind the page', async () => {
    const { http } = await startWithUsers();
    const challenge = async (headers: Record<string, string>) =>
      (await fetch(`${http}/me`, { headers })).headers.get('www-authenticate');
    expect(await challenge({})).toContain('Basic');
    expect(await challenge({ 'sec-fetch-dest': 'empty' })).toBe('Bearer realm="tinymq"');
  });
});

/** The cookie of a broker there. */
function nameAt(http: string): string {
  return `tinymq-session-${new URL(http).port}`;
}

// A browser keeps cookies by host, whatever the port: the login to one broker took the place of that to the other.
it('two brokers on one host have a login each', async () => {
  const [one, other] = [await startWithUsers(), await startWithUsers()];
  const both = `${(await cookieOf(one.http)).cookie}; ${(await cookieOf(other.http, 'guest')).cookie}`;
  const headers = { cookie: both, 'sec-fetch-site': 'same-origin' };
  const userAt = async (http: string) => (await getJson<{ user: string }>(`${http}/me`, { headers })).user;
  expect([await userAt(one.http), await userAt(other.http)]).toEqual(['ada', 'guest']);
  const out = await fetch(`${one.http}/logout`, { method: 'POST', headers });
  expect(out.headers.get('set-cookie')).toContain(nameAt(one.http));
  expect([await statusOf(one.http, '/me', headers), await statusOf(other.http, '/me', headers)]).toEqual([
    401, 200,
  ]);
});

describe('a request with the cookie', () => {
  const FOREIGN: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'http://localhost:1' },
    {},
  ];
  it.each(FOREIGN)('that a page of others may have sent is refused: %o', async (headers) => {
    const { http } = await startWithUsers();
    const { cookie } = await cookieOf(http);
    const asked = { method: 'POST', body: 'x', headers: { ...headers, cookie: cookie! } };
    const answer = await fetch(`${http}/topics/open`, asked);
    expect(await codeOf(answer)).toEqual([403, 'foreign-origin']);
  });

  it('of the door itself is not', async () => {
    const { http } = await startWithUsers({
      http: { listen: ['http://127.0.0.1:0'], origins: ['http://other.example'] },
    });
    const { cookie } = await cookieOf(http);
    const post = (origin: string) =>
      fetch(`${http}/topics/open`, { method: 'POST', body: 'x', headers: { origin, cookie: cookie! } });
    expect((await post(http)).status).toBe(202);
    // It may use the door with credentials of its own.
    expect((await post('http://other.example')).status).toBe(403);
  });

  it('and credentials beside it goes by the credentials', async () => {
    const { http } = await startWithUsers();
    const authorization = `Basic ${Buffer.from('guest:right').toString('base64')}`;
    const headers = { ...(await cookieOf(http)), authorization };
    expect(await statusOf(http, '/overview', headers)).toBe(403);
  });

  it.each(['NAME=', 'NAME=x', 'a=b; NAME=made-up; c=d'])(
    'that nobody was given is told to log in again, and the cookie goes: %s',
    async (form) => {
      const { http } = await startWithUsers();
      const cookie = form.replace('NAME', nameAt(http));
      const answer = await fetch(`${http}/me`, { headers: { cookie } });
      expect(await codeOf(answer)).toEqual([401, 'credentials-expired']);
      expect(answer.headers.get('set-cookie')).toContain('Max-Age=0');
    },
  );
});

describe('a login ends', () => {
  it('with a logout', async () => {
    const { http } = await startWithUsers();
    const headers = await cookieOf(http);
    const answer = await fetch(`${http}/logout`, { method: 'POST', headers });
    expect([answer.status, answer.headers.get('set-cookie')]).toEqual([
      204,
      `${nameAt(http)}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`,
    ]);
    expect(await statusOf(http, '/me', headers)).toBe(401);
  });

  it('when its user is disabled, has another password, or may no longer be here', async () => {
    const { http, owner } = await startWithUsers();
    const [ada, guest] = [await cookieOf(http), await cookieOf(http, 'guest')];
    await owner.call(alterUser, { name: 'ada', groups: ['admin', 'more'] });
    expect(await statusOf(http, '/me', ada)).toBe(200);
    await owner.call(alterUser, { name: 'ada', ...secretsForm(await makePassword('other')) });
    await owner.call(alterUser, { name: 'guest', enabled: false });
    expect([await statusOf(http, '/me', ada), await statusOf(http, '/me', guest)]).toEqual([401, 401]);
    await owner.call(alterUser, { name: 'guest', enabled: true });
    const again = await cookieOf(http, 'guest');
    await owner.call(addRule, { rule: { deny: 'connect', users: 'guest' }, place: 'first' });
    expect(await statusOf(http, '/me', again)).toBe(401);
  });

  it('after a while without a request, and after a day with them', async () => {
    const clock = new MovableClock();
    const { http } = await startWithUsers({ clock });
    const [idle, busy] = [await cookieOf(http), await cookieOf(http)];
    const halfIdleMs = httpLoginIdleMs / 2;
    for (let passedMs = 0; passedMs < httpLoginMs - halfIdleMs; passedMs += halfIdleMs) {
      expect(await statusOf(http, '/me', busy)).toBe(200);
      await clock.advance(halfIdleMs);
    }
    await clock.advance(halfIdleMs);
    expect([await statusOf(http, '/me', idle), await statusOf(http, '/me', busy)]).toEqual([401, 401]);
  });

  it('with its streams', async () => {
    const clock = new MovableClock();
    const { http, owner } = await startWithUsers({ clock });
    const headers = await cookieOf(http);
    const source = await TestEventSource.open(`${http}/topics/%23?follow`, headers);
    const other = await TestEventSource.open(`${http}/topics/%23?follow`, await cookieOf(http));
    await fetch(`${http}/logout`, { method: 'POST', headers });
    await clock.advance(2_000);
    await eventually(() => source.isOver, 'the end of the stream that was logged out');
    expect(source.events.at(-1)).toMatchObject({ data: { code: 'credentials-expired' } });
    expect(other.isOver).toBe(false);
    await owner.call(alterUser, { name: 'ada', ...secretsForm(await makePassword('other')) });
    await eventually(() => other.isOver, 'the end of the other one');
  });

  it('where one user has too many', async () => {
    const { http } = await startWithUsers();
    const first = await cookieOf(http);
    const guest = await cookieOf(http, 'guest');
    for (let more = 0; more < httpLoginsOfUser; more++) await cookieOf(http);
    expect([await statusOf(http, '/me', first), await statusOf(http, '/me', guest)]).toEqual([401, 200]);
  });
});
