import { describe, expect, it } from 'vitest';
import { connect, type Message } from '../../pkg/client/index.ts';
import { TestEventSource } from '../support/event-source.ts';
import { eventually } from '../support/eventually.ts';
import { post, startHttp } from '../support/http-door.ts';

async function problemOf(response: Response): Promise<{ status: number; code: string; detail: string }> {
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  const { status, code, detail } = (await response.json()) as {
    status: number;
    code: string;
    detail: string;
  };
  expect(status).toBe(response.status);
  return { status, code, detail };
}

describe('a message that is published by HTTP', () => {
  it('reaches subscribers of other doors', async () => {
    const { frames, http } = await startHttp();
    await using client = await connect(frames);
    const got: Message[] = [];
    await client.subscribe('sensors/#', (message) => got.push(message));
    expect((await post(http, 'sensors/temp?client=kitchen', '22.5')).status).toBe(202);
    await eventually(() => got.length === 1, 'the message');
    expect([got[0]!.topic, got[0]!.text(), got[0]!.clientId]).toEqual(['sensors/temp', '22.5', 'kitchen']);
  });

  it.each([
    ['a/b', 'a/b'],
    ['/a//b/', '/a//b/'],
    ['%2Fa', '/a'],
    ['a%20b%23', 'a b#', 'invalid-topic'],
    ['gr%C3%BC%C3%9Fe', 'grüße'],
    ['a+b', 'a+b', 'invalid-topic'],
    ['%ff', '', 'malformed-http-request'],
    ['%', '', 'malformed-http-request'],
    ['', '', 'invalid-topic'],
    ['$SYS/x', '', 'reserved-topic'],
  ])('has the topic of its path: %s', async (path, topic, code?: string) => {
    const { http } = await startHttp();
    const answer = await post(http, `${path}?retain`, 'x');
    if (code !== undefined) {
      expect((await problemOf(answer)).code).toBe(code);
      return;
    }
    expect(answer.status).toBe(202);
    const listed = await (await fetch(`${http}/topics/%23`)).text();
    expect(JSON.parse(listed).topic).toBe(topic);
  });

  it('is answered with QoS 1 when a log has it', async () => {
    const { http } = await startHttp({ keep: [{ filter: '#' }] });
    expect((await post(http, 'a?qos=1', '1')).status).toBe(204);
    const read = await fetch(`${http}/topics/a?from=earliest&format=raw`);
    expect(await read.text()).toBe('1\n');
  });

  it('carries its properties from door to door', async () => {
    const { http } = await startHttp({ keep: [{ filter: 'kept' }] });
    const headers = [
      ['Content-Type', 'application/json'],
      ['User-Property', 'unit=%C2%B0C'],
      ['Response-Topic', 'answers/1'],
      ['Correlation-Data', 'AAEC'],
    ] as [string, string][];
    for (const topic of ['kept?qos=1', 'retained?retain']) {
      await post(http, topic, '{"t":1}', { headers });
      const answer = await fetch(`${http}/topics/${topic.split('?')[0]}`);
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect(answer.headers.get('user-property')).toBe('unit=%C2%B0C');
      expect(answer.headers.get('response-topic')).toBe('answers/1');
      expect(answer.headers.get('correlation-data')).toBe('AAEC');
      const json = await fetch(`${http}/topics/${topic.split('?')[0]}`, {
        headers: { accept: 'application/json' },
      });
      expect(await json.json()).toMatchObject({
        payload: '{"t":1}',
        contentType: 'application/json',
        userProperties: [{ name: 'unit', value: '°C' }],
      });
    }
  });

  // A browser sends all headers of one name as one, joined by commas.
  it('has user properties of its URL behind those of headers', async () => {
    const { http } = await startHttp();
    const query = new URLSearchParams([
      ['retain', ''],
      ['property', 'list=1, 2%'],
      ['property', 'list=3'],
    ]);
    await post(http, `a?${query}`, 'x', { headers: { 'user-property': 'unit=C' } });
    const json = await fetch(`${http}/topics/a`, { headers: { accept: 'application/json' } });
    const userProperties = [
      { name: 'unit', value: 'C' },
      { name: 'list', value: '1, 2%' },
      { name: 'list', value: '3' },
    ];
    expect(await json.json()).toMatchObject({ userProperties });
    expect((await post(http, 'a?property=one=1', 'x')).status).toBe(202);
    expect((await post(http, 'a?property=nothing', 'x')).status).toBe(400);
  });

  it('is refused where it is larger than messages may be', async () => {
    const { http } = await startHttp({ maxMessageBytes: 10 });
    expect((await post(http, 'a', '0123456789')).status).toBe(202);
    expect(await problemOf(await post(http, 'a', '0123456789X'))).toMatchObject({
      status: 413,
      code: 'message-too-large',
    });
  });

  it.each(['?qos=2', '?qos=x', '?expiry=-1', '?nonsense=1', '?client='])(
    'is refused with %s',
    async (query) => {
      const { http } = await startHttp();
      const problem = await problemOf(await post(http, `a${query}`, 'x'));
      expect([problem.status, problem.code]).toEqual([400, 'malformed-http-request']);
    },
  );

  it('expires', async () => {
    const { http } = await startHttp();
    await post(http, 'a?retain&expiry=0', 'x');
    expect((await problemOf(await fetch(`${http}/topics/a`))).code).toBe('no-message');
  });
});

describe('the last message of a topic', () => {
  it('is the retained one, until an empty one clears it', async () => {
    const { http } = await startHttp();
    await post(http, 'a?retain', 'x');
    const answer = await fetch(`${http}/topics/a`);
    expect([answer.status, await answer.text()]).toEqual([200, 'x']);
    await post(http, 'a?retain', '');
    expect(await problemOf(await fetch(`${http}/topics/a`))).toMatchObject({
      status: 404,
      code: 'no-message',
    });
  });

  it('is the newest of its log where none is retained, also of a log with other topics', async () => {
    const { http } = await startHttp({ keep: [{ filter: 'own/#' }, { filter: 'all/#', name: 'all' }] });
    for (const topic of ['own/a', 'all/a', 'all/b']) {
      await post(http, `${topic}?qos=1`, `${topic} old`);
      await post(http, `${topic}?qos=1`, `${topic} new`);
    }
    for (const topic of ['own/a', 'all/a', 'all/b']) {
      expect(await (await fetch(`${http}/topics/${topic}`)).text()).toBe(`${topic} new`);
    }
  });

  it('is bytes as they came, and no page of the broker', async () => {
    const { http } = await startHttp();
    await post(http, 'page?retain', '<script>alert(1)</script>', {
      headers: { 'content-type': 'text/html' },
    });
    const answer = await fetch(`${http}/topics/page`);
    expect(answer.headers.get('content-security-policy')).toContain('sandbox');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    await post(http, 'bytes?retain', new Uint8Array([0, 255]));
    const bytes = await fetch(`${http}/topics/bytes`);
    expect(bytes.headers.get('content-type')).toBe('application/octet-stream');
    expect(new Uint8Array(await bytes.arrayBuffer())).toEqual(new Uint8Array([0, 255]));
    const json = await (
      await fetch(`${http}/topics/bytes`, { headers: { accept: 'application/json' } })
    ).json();
    expect(json).toMatchObject({ payload: 'AP8=', encoding: 'base64' });
  });
});

describe('a log', () => {
  it('is read from a start on, up to a limit', async () => {
    const { http } = await startHttp({ keep: [{ filter: '#' }] });
    for (let number = 0; number < 5; number++) await post(http, 'a?qos=1', String(number));
    const read = async (query: string) =>
      (await (await fetch(`${http}/topics/a?${query}`)).text()).split('\n').slice(0, -1);
    expect(await read('from=earliest&format=raw')).toEqual(['0', '1', '2', '3', '4']);
    expect(await read('from=3&format=raw')).toEqual(['3', '4']);
    expect(await read('from=1&limit=2&format=raw')).toEqual(['1', '2']);
    expect(await read('from=latest&format=raw')).toEqual([]);
    expect(await read('from=-1h&format=raw')).toHaveLength(5);
    const [line] = await read('from=4');
    expect(JSON.parse(line!)).toMatchObject({ topic: 'a', payload: '4', log: 'a', partition: 0, offset: 4 });
  });

  it('is refused where there is none, and with a start that is none', async () => {
    const { http } = await startHttp();
    expect((await problemOf(await fetch(`${http}/topics/a?from=earliest`))).code).toBe('no-log');
    const nonsense = await problemOf(await fetch(`${http}/topics/a?from=yesterday`));
    expect([nonsense.status, nonsense.code]).toEqual([400, 'malformed-http-request']);
  });
});

describe('a stream of events', () => {
  it('brings what comes, retained messages first', async () => {
    const { http } = await startHttp();
    await post(http, 'a/old?retain', 'old');
    const source = await TestEventSource.open(`${http}/topics/a/%23?follow`);
    await source.has(1);
    await post(http, 'a/new', 'new');
    await post(http, 'b', 'other');
    await source.has(2);
    expect(source.events.map(({ data }) => [data.topic, data.payload, data.retain])).toEqual([
      ['a/old', 'old', true],
      ['a/new', 'new', undefined],
    ]);
  });

  it('goes on behind the last event without a gap and without a repeat', async () => {
    const { http } = await startHttp({ keep: [{ filter: '#' }] });
    const url = `${http}/topics/%23?follow&from=earliest`;
    const payloads: string[] = [];
    let lastEventId = '';
    for (let round = 0; round < 3; round++) {
      const headers: Record<string, string> = lastEventId === '' ? {} : { 'last-event-id': lastEventId };
      const source = await TestEventSource.open(url, headers);
      for (const topic of ['a', 'b', 'c', `new-${round}`]) {
        await post(http, `${topic}?qos=1`, `${topic} ${round} seen`);
      }
      await source.has(round === 0 ? 4 : 8);
      payloads.push(...source.payloads);
      lastEventId = source.lastEventId;
      source.close();
      for (const topic of ['a', 'b', 'c', `later-${round}`]) {
        await post(http, `${topic}?qos=1`, `${topic} ${round} missed`);
      }
    }
    const last = await TestEventSource.open(url, { 'last-event-id': lastEventId });
    await last.has(4);
    payloads.push(...last.payloads);
    const wanted = [0, 1, 2].flatMap((round) => [
      ...['a', 'b', 'c', `new-${round}`].map((topic) => `${topic} ${round} seen`),
      ...['a', 'b', 'c', `later-${round}`].map((topic) => `${topic} ${round} missed`),
    ]);
    expect(payloads.sort()).toEqual(wanted.sort());
  });

  it('has each message once, whether a log keeps its topic or not', async () => {
    const { http } = await startHttp({ keep: [{ filter: 'kept/#' }] });
    const source = await TestEventSource.open(`${http}/topics/%23?follow`);
    for (let number = 0; number < 10; number++) {
      await post(http, 'kept/a?qos=1', `kept ${number}`);
      await post(http, 'live', `live ${number}`);
    }
    await source.has(20);
    expect(source.payloads.filter((text) => text.startsWith('kept'))).toEqual(
      Array.from({ length: 10 }, (_, number) => `kept ${number}`),
    );
    expect(source.events.every(({ id, data }) => (id !== undefined) === (data.log !== undefined))).toBe(true);
  });

  // Such a stream read no log, and left out what it should have read there.
  it('of a group brings what comes, whether a log keeps its topic or not, and has no place in a log', async () => {
    const { http } = await startHttp({ keep: [{ filter: 'kept' }] });
    const source = await TestEventSource.open(`${http}/topics/$share/g/%2B?follow`);
    for (const topic of ['kept', 'live']) await post(http, `${topic}?qos=1`, topic);
    await source.has(2);
    expect(source.payloads).toEqual(['kept', 'live']);
    const refused = await fetch(`${http}/topics/$share/g/kept?follow&from=earliest`);
    expect((await problemOf(refused)).code).toBe('malformed-http-request');
  });

  it('takes the place of another only where both have the same client id', async () => {
    const { http } = await startHttp();
    const url = `${http}/topics/%23?follow`;
    const [one, two] = [await TestEventSource.open(url), await TestEventSource.open(url)];
    const named = await TestEventSource.open(`${url}&client=me`);
    await TestEventSource.open(`${url}&client=me`);
    await eventually(() => named.isOver, 'the end of the older one');
    expect(named.events.at(-1)).toMatchObject({ type: 'problem', data: { code: 'taken-over' } });
    await post(http, 'a', 'x');
    for (const source of [one, two]) await source.has(1);
  });

  it('is one line for each message, whatever is in it', async () => {
    const { http } = await startHttp();
    const source = await TestEventSource.open(`${http}/topics/%23?follow`);
    const payload = 'a\n\ndata: b\r\nevent: c\u2028\0';
    await post(http, 'x', payload);
    await source.has(1);
    expect(source.payloads).toEqual([payload]);
  });

  it('ends with the reason when the broker stops', async () => {
    const { http, broker } = await startHttp();
    const source = await TestEventSource.open(`${http}/topics/%23?follow`);
    await broker.close();
    await eventually(() => source.isOver, 'the end');
    expect(source.events.at(-1)).toMatchObject({ type: 'problem', data: { code: 'server-shutdown' } });
  });

  it.each(['nonsense', 'a.b:c', '%00'])('is refused behind an id of nobody: %s', async (id) => {
    const { http } = await startHttp({ keep: [{ filter: '#' }] });
    const { response } = await TestEventSource.open(`${http}/topics/%23?follow`, { 'last-event-id': id });
    expect((await problemOf(response)).code).toBe('malformed-http-request');
  });
});
