import { describe, expect, it } from 'vitest';
import type { Authenticator } from '../../internal/access/authenticator.ts';
import { identityOf } from '../../internal/access/identity.ts';
import type { Action, Policy } from '../../internal/access/policy.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import { changeablePolicy } from '../support/access.ts';
import { TestEventSource } from '../support/event-source.ts';
import { eventually } from '../support/eventually.ts';
import { post, startHttp } from '../support/http-door.ts';

const MINUTE_MS = 60_000;

/** Everybody whose password is the name, after a while; the token `short` is good for a minute. */
function users(clock = new MovableClock()): Authenticator {
  return {
    async authenticate(peer, credentials) {
      await new Promise((resolve) => setImmediate(resolve));
      if (credentials.kind === 'none') return identityOf(peer, {});
      if (credentials.kind === 'token') {
        const expiresAtMs = credentials.token === 'short' ? clock.now() + MINUTE_MS : undefined;
        return identityOf(peer, { user: credentials.token, expiresAtMs });
      }
      const { user, password = new Uint8Array(0) } = credentials;
      if (Buffer.from(password).toString() !== user) return { reason: 'wrong user name or password' };
      return identityOf(peer, { user });
    },
  };
}

function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

async function codeOf(response: Response): Promise<[status: number, code: string]> {
  return [response.status, ((await response.json()) as { code: string }).code];
}

describe('the HTTP door asks', () => {
  /** Anonymous clients may do everything but this. */
  function without(refused: Action) {
    return changeablePolicy((action, _resource) => (action === refused ? 'not for you' : undefined));
  }

  it.each([
    ['connect', 'POST', '/topics/a'],
    ['publish', 'POST', '/topics/a'],
    ['publish', 'POST', '/topics/a?retain&qos=1'],
    ['subscribe', 'GET', '/topics/a'],
    ['subscribe', 'GET', '/topics/%23'],
    ['subscribe', 'GET', '/topics/a?from=earliest'],
    ['subscribe', 'GET', '/topics/%23?follow'],
    ['subscribe', 'GET', '/topics/$share/g/a?follow'],
    ['describe', 'GET', '/metrics'],
  ] as const)('before it lets somebody %s: %s %s', async (refused, method, path) => {
    const { broker, http } = await startHttp({ policy: without(refused), keep: [{ filter: '#' }] });
    const asked = { method, headers: { authorization: 'Bearer somebody' } };
    expect(await codeOf(await fetch(`${http}${path}`, asked))).toEqual([403, 'not-authorized']);
    expect(broker.stats().messages_received_total).toBe(0);
    expect(broker.stats()['refusals_total{code="not-authorized"}']).toBe(1);
  });

  it('for credentials where none were shown', async () => {
    const { http } = await startHttp({ policy: without('publish') });
    const answer = await post(http, 'a', 'x');
    expect(answer.headers.get('www-authenticate')).toContain('Basic');
    expect(await codeOf(answer)).toEqual([401, 'not-authorized']);
  });
});

describe('credentials of HTTP', () => {
  it.each([
    ['a password', basic('ann', 'ann'), 202],
    ['a password with a colon', basic('a', 'a:b'), 401],
    ['a wrong password', basic('ann', 'bob'), 401],
    ['a token', { authorization: 'bearer ann' }, 202],
    ['none', {}, 202],
  ])('%s', async (_, headers, status) => {
    const { http } = await startHttp({ authenticator: users() });
    expect((await post(http, 'a', 'x', { headers })).status).toBe(status);
  });

  it.each(['Basic', 'Basic !', 'Basic YQ==', 'Digest x', 'x'])(
    'that are none are refused: %s',
    async (authorization) => {
      const { http } = await startHttp({ authenticator: users() });
      const [status] = await codeOf(await post(http, 'a', 'x', { headers: { authorization } }));
      expect(status).toBe(400);
    },
  );

  it('are those of each request, not of the connection', async () => {
    const policy = changeablePolicy((action, { name }, who) =>
      action === 'publish' && who.user !== name ? 'not yours' : undefined,
    );
    const { http } = await startHttp({ authenticator: users(), policy });
    expect((await post(http, 'ann', 'x', { headers: basic('ann', 'ann') })).status).toBe(202);
    expect((await post(http, 'ann', 'x', { headers: basic('bob', 'bob') })).status).toBe(403);
    expect((await post(http, 'ann', 'x')).status).toBe(401);
  });
});

describe('a stream of events', () => {
  it('ends when its credentials do', async () => {
    const clock = new MovableClock();
    const { http } = await startHttp({ authenticator: users(clock), clock });
    const headers = { authorization: 'Bearer short' };
    const source = await TestEventSource.open(`${http}/topics/%23?follow`, headers);
    await clock.advance(MINUTE_MS + 1_000);
    await eventually(() => source.isOver, 'the end');
    expect(source.events.at(-1)).toMatchObject({ type: 'problem', data: { code: 'credentials-expired' } });
  });

  it('ends when the rules allow it no longer', async () => {
    let answer: string | undefined;
    const policy = changeablePolicy((action) => (action === 'subscribe' ? answer : undefined));
    const { http } = await startHttp({ policy });
    const source = await TestEventSource.open(`${http}/topics/a/%23?follow`);
    answer = 'no longer';
    policy.change();
    await eventually(() => source.isOver, 'the end');
    expect(source.events.at(-1)).toMatchObject({ type: 'problem', data: { code: 'not-authorized' } });
  });
});

// A filter that is granted in part brought everything that the logs and the retained store had.
describe('with -acl-partial', () => {
  it('reads and streams bring what is allowed', async () => {
    const isHidden = (topic: string) => topic.startsWith('secret');
    const policy: Policy = {
      ...changeablePolicy((action, { name }) =>
        action === 'subscribe' && isHidden(name) ? 'not for you' : undefined,
      ),
      coverage: (_who, _action, filter) => (filter === '#' ? 'partly' : 'all'),
    };
    const { http } = await startHttp({ policy, aclPartial: true, keep: [{ filter: '#' }] });
    for (const topic of ['open', 'secret']) await post(http, `${topic}?qos=1&retain`, topic);
    const linesOf = async (query: string) => {
      const text = await (await fetch(`${http}/topics/%23${query}`)).text();
      return text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line).topic);
    };
    expect(await linesOf('?from=earliest')).toEqual(['open']);
    expect(await linesOf('')).toEqual(['open']);
    const source = await TestEventSource.open(`${http}/topics/%23?follow&from=earliest`);
    for (const topic of ['secret', 'open']) await post(http, `${topic}?qos=1`, 'again');
    await source.has(2);
    expect(source.events.map(({ data }) => data.topic)).toEqual(['open', 'open']);
  });
});
