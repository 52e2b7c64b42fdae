import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openPolicy } from '../../internal/access/policy.ts';
import { OPERATIONS } from '../../internal/admin/all.ts';
import { connect } from '../../pkg/client/index.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { getJson, post, startHttp } from '../support/http-door.ts';
import { schemaProblem } from '../support/json-schema.ts';
import { StillClock } from '../support/still-clock.ts';

/** What each operation is asked for: the fields of its path, its query, its body. In this order, so that there is something. */
const ASKED: Record<string, { path?: string; body?: object }> = {
  'users add': { body: { name: 'anna', groups: ['staff'], scram: [] } },
  'users list': {},
  'users alter': { path: '/users/anna', body: { enabled: false } },
  'acl add': { body: { rule: { allow: 'all', users: '*' }, place: 'first' } },
  'acl list': {},
  'acl alter': { body: { place: 'first' } },
  'access preview': { body: { change: { kind: 'remove-user', name: 'anna' } } },
  'acl test': { body: { action: 'publish', kind: 'topic', name: 'a' } },
  'acl remove': {},
  'users remove': { path: '/users/anna' },
  'limits add': { body: { id: 'calm', limit: { connections: 100 } } },
  'limits alter': { path: '/limits/calm', body: { limit: { connections: 99 } } },
  'limits list': {},
  'limits test': { body: { user: 'anna' } },
  'limits remove': { path: '/limits/calm' },
  import: { body: { users: [], rules: [] } },
  'store snapshot': { body: {} },
  overview: {},
  nodes: {},
  history: {},
  why: {},
  'config show': {},
  'clients list': { path: '/clients?limit=1&sort=waiting' },
  'clients show': { path: '/clients/durable' },
  'sessions list': {},
  'sessions show': { path: '/sessions/durable' },
  'subscriptions list': {},
  'retained get': { path: '/retained/house%2Fhall' },
  'retained export': { path: '/export/retained?filter=house/%23' },
  'retained import': {
    path: '/import/retained',
    body: { messages: [{ topic: 'house/attic', payload: 'off', qos: 1, clientId: 'old' }] },
  },
  'retained list': { path: '/retained?filter=house/%23' },
  'topics tree': { path: '/tree?under=house/' },
  'topics busiest': { path: '/busiest?limit=5' },
  'logs list': {},
  'logs show': { path: '/logs/house.kept' },
  'logs export': { path: '/export/logs/house.kept' },
  'logs import': {
    path: '/import/logs/house.kept',
    body: { records: [{ topic: 'house.kept', partition: 0, offset: 7, ts: 1, key: null, payload: 'y' }] },
  },
  'groups list': {},
  'groups reset': { path: '/groups/readers/offsets', body: { to: '0', topic: 'house.kept' } },
  'groups show': { path: '/groups/readers' },
  'groups remove': { path: '/groups/readers' },
  'retained remove': { path: '/retained/house%2Fhall' },
  'clients disconnect': { path: '/clients/other' },
  'sessions remove': { path: '/sessions/durable' },
};

it('every operation answers what its schema says', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tinymq-operations-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  const { http, frames } = await startHttp({
    keep: [{ filter: 'house/kept' }],
    // Logs in memory are in no files that could be copied.
    ...{ memory: false, dataDir },
    // The first user would close the door else.
    policy: openPolicy,
  });
  const durable = await connectMqtt(frames, 5, {
    clientId: 'durable',
    properties: { sessionExpiryIntervalS: 60 },
  });
  await durable.subscribe('house/#', 1);
  await connect(frames, { clientId: 'other', reconnect: false });
  await post(http, 'house/hall?retain', 'on');
  await post(http, 'house/kept?qos=1', 'x');
  const byName = new Map(OPERATIONS.map((operation) => [operation.name, operation]));
  expect(Object.keys(ASKED).sort()).toEqual([...byName.keys()].sort());
  for (const [name, { path, body }] of Object.entries(ASKED)) {
    const operation = byName.get(name)!;
    const url =
      path ?? (operation.path === '/rules/:id' ? `/rules/${(await rules(http))[0]!.id}` : operation.path);
    const answer = await fetch(`${http}${url}`, {
      method: operation.method,
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const value = await answer.json();
    expect([name, answer.status, JSON.stringify(value)]).toEqual([name, 200, JSON.stringify(value)]);
    expect([name, await schemaProblem(operation.answer, value)]).toEqual([name, undefined]);
  }
});

function rules(http: string): Promise<{ id: string }[]> {
  return getJson(`${http}/rules`);
}

describe('sessions', () => {
  it('are shown with what waits in them, and end when they are removed', async () => {
    const { http, frames } = await startHttp();
    const options = { clientId: 'meter', properties: { sessionExpiryIntervalS: 3600 }, cleanStart: false };
    const mqtt = await connectMqtt(frames, 5, options);
    await mqtt.subscribe('a', 1);
    mqtt.disconnect();
    await mqtt.ended();
    await post(http, 'a?qos=1', 'x');
    const session = { clientId: 'meter', isConnected: false, expiryMs: 3_600_000, waitingMessages: 1 };
    expect(await getJson(`${http}/sessions?search=MET`)).toMatchObject({ sessions: [session], total: 1 });
    expect(await getJson(`${http}/sessions/meter`)).toMatchObject({
      ...session,
      filters: [{ filter: 'a', qos: 1 }],
    });
    expect((await fetch(`${http}/sessions/meter`, { method: 'DELETE' })).status).toBe(200);
    expect((await fetch(`${http}/sessions/meter`)).status).toBe(404);
    const again = await connectMqtt(frames, 5, options);
    expect(await getJson(`${http}/sessions/meter`)).toMatchObject({ subscriptions: 0, waitingMessages: 0 });
    expect((await fetch(`${http}/sessions/meter`, { method: 'DELETE' })).status).toBe(200);
    await again.ended();
    expect(await getJson(`${http}/sessions`)).toEqual({ sessions: [], total: 0 });
  });

  it('and all other clients have subscriptions', async () => {
    const { http, frames } = await startHttp();
    const mqtt = await connectMqtt(frames, 5, { clientId: 'm' });
    await mqtt.subscribe('$share/g/a/#');
    await using client = await connect(frames, { clientId: 'f' });
    await client.subscribe('b/+', () => {});
    expect(await getJson(`${http}/subscriptions`)).toEqual({
      subscriptions: [
        { clientId: 'm', filter: '$share/g/a/#', door: 'mqtt', isConnected: true },
        { clientId: 'f', filter: 'b/+', door: 'frames', isConnected: true },
      ],
      total: 2,
    });
    mqtt.drop();
  });
});

describe('retained messages', () => {
  it('are listed by a filter, page by page, and removed', async () => {
    const { http } = await startHttp();
    for (const topic of ['a/1', 'a/2', 'a/3', 'b/1'])
      await post(http, `${topic}?retain&qos=1`, 'x'.repeat(5));
    interface Page {
      retained: { topic: string; payloadBytes: number }[];
      next?: string;
    }
    const first = await getJson<Page>(`${http}/retained?filter=a/%2B&limit=2`);
    expect(first.retained.map(({ topic }) => topic)).toEqual(['a/1', 'a/2']);
    expect(first.retained[0]).toMatchObject({ payloadBytes: 5, clientId: 'http' });
    const second = await getJson<Page>(`${http}/retained?filter=a/%2B&limit=2&after=${first.next}`);
    expect([second.retained.map(({ topic }) => topic), second.next]).toEqual([['a/3'], undefined]);
    const remove = () => fetch(`${http}/retained/a%2F1`, { method: 'DELETE' });
    expect([(await remove()).status, (await remove()).status]).toEqual([200, 404]);
    expect((await fetch(`${http}/topics/a/1`)).status).toBe(404);
    expect((await fetch(`${http}/retained?filter=a/%23/b`)).status).toBe(400);
    expect((await fetch(`${http}/retained/%24SYS%2Fx`, { method: 'DELETE' })).status).toBe(403);
  });

  const importOf = (http: string, ...messages: object[]) =>
    fetch(`${http}/import/retained`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages }),
    });

  it('are given with all that is kept of them, and taken back', async () => {
    const { http, frames } = await startHttp();
    const mqtt = await connectMqtt(frames, 5, { clientId: 'm' });
    await mqtt.publishSafely('a/1', '', {
      payload: Buffer.from([0xff, 0]),
      retain: true,
      properties: { contentType: 'x/y', correlationData: Buffer.from('c'), userProperties: [['n', 'v']] },
    });
    await post(http, 'a/2?retain&qos=1', 'text');
    const first = { topic: 'a/1', payload: '/wA=', encoding: 'base64', qos: 1, clientId: 'm' };
    const properties = {
      contentType: 'x/y',
      correlationData: 'Yw==',
      userProperties: [{ name: 'n', value: 'v' }],
    };
    expect(await getJson(`${http}/retained/a%2F1`)).toEqual({ ...first, ...properties });
    const exported = await getJson<{ messages: object[] }>(`${http}/export/retained?filter=a/%23`);
    expect(exported).toMatchObject({
      messages: [
        { ...first, ...properties },
        { topic: 'a/2', payload: 'text' },
      ],
      total: 2,
    });
    for (const topic of ['a%2F1', 'a%2F2']) await fetch(`${http}/retained/${topic}`, { method: 'DELETE' });
    const gone = { topic: 'a/3', payload: 'x', qos: 0, clientId: '', expiresAt: '2001-01-01T00:00:00Z' };
    const answer = await importOf(http, ...exported.messages, gone);
    expect(await answer.json()).toEqual({ imported: 2, expired: 1 });
    expect(await getJson(`${http}/export/retained`)).toEqual(exported);
    mqtt.drop();
  });

  it('are given in pages that are no larger than an answer should be', async () => {
    const { http } = await startHttp();
    for (const topic of ['a/1', 'a/2', 'a/3'])
      await post(http, `${topic}?retain&qos=1`, 'x'.repeat(3_000_000));
    const topics: string[][] = [];
    let after = '';
    do {
      const page: { messages: { topic: string }[]; next?: string } = await getJson(
        `${http}/export/retained?limit=2${after}`,
      );
      topics.push(page.messages.map(({ topic }) => topic));
      after = page.next === undefined ? '' : `&after=${page.next}`;
    } while (after !== '');
    expect(topics).toEqual([['a/1'], ['a/2'], ['a/3']]);
  });

  it.each([
    ['a topic with wildcards', { topic: 'a/#' }],
    ['a topic of the broker', { topic: '$SYS/x' }],
    ['no payload', { payload: '' }],
    ['what is no base64', { payload: '*', encoding: 'base64' }],
    ['a name that no protocol can carry', { contentType: 'x'.repeat(65_536) }],
    ['NUL in a text', { userProperties: [{ name: 'n', value: '\0' }] }],
    ['a response topic with wildcards', { responseTopic: '+' }],
    ['a time that is none', { expiresAt: '2030-12-31T23:59:60Z' }],
    ['an unknown field', { colour: 'red' }],
  ])('are not taken back with %s, nor those beside it', async (_, wrong) => {
    const { http } = await startHttp();
    const right = { topic: 'a', payload: 'x', qos: 0, clientId: '' };
    const { status } = await importOf(http, right, { ...right, topic: 'b', ...wrong });
    expect([400, 403, 409]).toContain(status);
    expect(await getJson(`${http}/export/retained`)).toEqual({ messages: [], total: 0 });
  });
});

describe('the tree of topics', () => {
  interface Level {
    children: {
      name: string;
      topic: string;
      hasChildren: boolean;
      retained: boolean;
      value?: string;
      log?: object;
    }[];
    next?: string;
  }
  const shown = ({ children }: Level) =>
    children.map(({ name, hasChildren, retained, log }) =>
      [name, hasChildren ? '…' : '', retained ? 'retained' : '', log ? 'log' : ''].join(' ').trim(),
    );

  it('has one level of what is retained, kept or in use', async () => {
    const { http, frames } = await startHttp({ keep: [{ filter: 'kept/#' }] });
    for (const topic of ['house/hall/light', 'house', 'house/', 'house/hall', 'b//c'])
      await post(http, `${topic}?retain&qos=1`, 'x');
    await post(http, 'kept/a?qos=1', 'x');
    await using client = await connect(frames);
    await client.publish('live/now', 'x');
    await client.ping();
    const level = (under: string) => getJson<Level>(`${http}/tree?under=${encodeURIComponent(under)}`);
    const root = await level('');
    expect(shown(root).filter((line) => !line.startsWith('$'))).toEqual([
      ...['b …', 'house … retained', 'kept …', 'live …'],
    ]);
    expect(shown(await level('house/'))).toEqual(['retained', 'hall … retained'].map((line) => line.trim()));
    expect((await level('house/hall/')).children).toMatchObject([
      { name: 'light', topic: 'house/hall/light', hasChildren: false, retained: true, value: 'x' },
    ]);
    expect(shown(await level('b/'))).toEqual(['…']);
    expect(shown(await level('kept/'))).toEqual(['a   log']);
    expect((await level('kept/')).children[0]!.log).toMatchObject({
      ...{ name: 'kept.a', partitions: 1, records: 1 },
    });
    expect((await level('kept/')).children[0]!).toHaveProperty('lastPublishedAt');
    expect(shown(await level('nothing/'))).toEqual([]);
    expect((await fetch(`${http}/tree?under=house`)).status).toBe(400);
  });

  it('says of live topics how many messages came, how often, and when the last one did', async () => {
    const clock = new StillClock();
    const { http, frames } = await startHttp({ clock });
    await using client = await connect(frames);
    const mqtt = await connectMqtt(frames, 5, { clientId: 'm' });
    const beganMs = clock.now();
    for (let second = 0; second < 20; second++) {
      for (let n = 0; n < 4; n++) await client.publish('live/frames', 'x');
      for (let n = 0; n < 2; n++) mqtt.publish('live/mqtt', 'x');
      await mqtt.publishSafely('live/mqtt', 'y');
      await client.ping();
      await post(http, 'live/http?qos=1', 'x');
      await clock.advance(1_000);
    }
    const { children } = await getJson<{ children: { name: string; lastPublishedAt: string }[] }>(
      `${http}/tree?under=live/`,
    );
    const rate = (perSecond: number) => expect.closeTo(perSecond, 0);
    expect(children).toMatchObject([
      { name: 'frames', published: 80, perSecond: rate(4) },
      { name: 'http', published: 20, perSecond: rate(1) },
      { name: 'mqtt', published: 60, perSecond: rate(3) },
    ]);
    for (const { lastPublishedAt } of children) {
      const afterMs = Date.parse(lastPublishedAt) - beganMs;
      expect(afterMs).toBeGreaterThan(17_000);
      expect(afterMs).toBeLessThanOrEqual(clock.now() - beganMs);
    }
    expect(await getJson(`${http}/busiest?limit=2`)).toMatchObject({
      topics: [
        { topic: 'live/frames', published: 80, perSecond: rate(4) },
        { topic: 'live/mqtt', published: 60, perSecond: rate(3) },
      ],
    });
    const { topics } = await getJson<{ topics: object[] }>(`${http}/busiest`);
    expect(topics).toHaveLength(3);
    const metrics = await (await fetch(`${http}/metrics/per-object`)).text();
    expect(metrics).toContain('tinymq_live_topic_published_total{topic="live/frames"} 80\n');
    expect(metrics).toMatch(/tinymq_live_topic_published_timestamp_seconds\{topic="live\/http"\} \d{10}/);
    expect(await (await fetch(`${http}/metrics/per-object?limit=1`)).text()).toContain(
      'tinymq_objects_left_out{kind="live-topic"} 2\n',
    );
  });

  it('says the beginning of retained messages that are text', async () => {
    const { http } = await startHttp();
    await post(http, 'v/long?retain', 'ü'.repeat(100));
    await post(http, 'v/bytes?retain', new Uint8Array([1, 0xff, 0]));
    await post(http, 'v/cut?retain', `x${'€'.repeat(100)}`);
    const { children } = await getJson<Level>(`${http}/tree?under=v/`);
    expect(children.map(({ name, value }) => [name, value])).toEqual([
      ['bytes', undefined],
      ['cut', `x${'€'.repeat(39)}`],
      ['long', 'ü'.repeat(60)],
    ]);
  });

  it('of 20,000 topics is turned page by page, each name once', async () => {
    const { http, frames } = await startHttp();
    await using client = await connect(frames);
    for (let index = 0; index < 20_000; index++) await client.publish(`many/${index % 10_000}/${index}`, 'x');
    await client.ping();
    const names = new Set<string>();
    let after = '';
    do {
      const { children, next } = await getJson<Level>(`${http}/tree?under=many/&limit=1000${after}`);
      for (const { name } of children) names.add(name);
      expect(children.length).toBe(1_000);
      after = next === undefined ? '' : `&after=${next}`;
    } while (after !== '');
    expect(names.size).toBe(10_000);
  });
});

describe('groups', () => {
  it('are reset to a place in a log, and forgotten', async () => {
    const { http } = await startHttp({ keep: [{ filter: 'a' }], memory: true });
    for (const text of ['x', 'y', 'z']) await post(http, 'a?qos=1', text);
    const reset = (body: object) =>
      fetch(`${http}/groups/readers/offsets`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      });
    expect((await reset({ to: 'earliest' })).status).toBe(404);
    expect((await reset({ to: 'earliest', topic: 'nothing' })).status).toBe(404);
    expect((await reset({ to: 'yesterday', topic: 'a' })).status).toBe(400);
    expect((await reset({ to: '1', partition: 0 })).status).toBe(400);
    expect(await (await reset({ to: '1', topic: 'a' })).json()).toEqual({
      offsets: [{ topic: 'a', partition: 0, offset: 1 }],
    });
    expect(await getJson(`${http}/groups/readers`)).toMatchObject({
      ...{ id: 'readers', state: 'Empty', lag: 2, members: [] },
      partitions: [{ topic: 'a', partition: 0, committedOffset: 1, firstOffset: 0, endOffset: 3, lag: 2 }],
    });
    expect(await getJson(`${http}/groups?search=READ`)).toMatchObject({
      groups: [{ id: 'readers', members: 0, lag: 2 }],
    });
    for (const [to, offset] of [
      ['latest', 3],
      ['-1h', 0],
      ['earliest', 0],
    ] as const) {
      expect(await (await reset({ to })).json()).toMatchObject({ offsets: [{ offset }] });
    }
    expect((await fetch(`${http}/groups/readers`, { method: 'DELETE' })).status).toBe(200);
    expect((await fetch(`${http}/groups/readers`)).status).toBe(404);
  });
});

describe('a request that changes the broker', () => {
  const add = async (body: string, type = 'application/json') => {
    const { http } = await startHttp();
    const answer = await fetch(`${http}/users`, { method: 'POST', body, headers: { 'content-type': type } });
    return [answer.status, ((await answer.json()) as { code: string }).code];
  };

  it.each(['', '{', 'null', '[]', '"x"', '{"name":"a"}}', '{"name":"a","__proto__":{"x":1}}'])(
    'is JSON: %j is refused',
    async (body) => expect(await add(body)).toEqual([400, 'malformed-http-request']),
  );

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])(
    'says that it is JSON, which forms of other pages cannot: %s is refused',
    async (type) => expect(await add('{"name":"a"}', type)).toEqual([400, 'malformed-http-request']),
  );

  it('is bounded', async () => {
    const body = JSON.stringify({ name: 'a', groups: ['x'.repeat(1_100_000)] });
    expect(await add(body)).toEqual([413, 'request-too-large']);
  });

  it('is refused with what is wrong with it', async () => {
    const { http } = await startHttp();
    const post = async (path: string, body: object) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(http + path, { method: 'POST', body: JSON.stringify(body), headers });
      return [answer.status, ((await answer.json()) as { code: string }).code];
    };
    expect(await post('/rules', { rule: { allow: 'fly', users: 'a' } })).toEqual([400, 'invalid-change']);
    expect(await post('/import', { users: [], rules: [{}] })).toEqual([400, 'malformed-http-request']);
    expect(await post('/users', { name: 'a', password: 'plain' })).toEqual([400, 'invalid-change']);
    const missing = await fetch(`${http}/users/nobody`, { method: 'DELETE' });
    expect([missing.status, ((await missing.json()) as { code: string }).code]).toEqual([
      404,
      'no-such-object',
    ]);
  });
});
