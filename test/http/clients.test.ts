import { describe, expect, it } from 'vitest';
import type { DoorFacts } from '../../internal/admin/door-totals.ts';
import type { HistoryFacts } from '../../internal/admin/history.ts';
import type { ShownClient } from '../../internal/admin/operations/clients.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { connect } from '../../pkg/client/index.ts';
import { RawHttp2, Type } from '../grpc/raw-http2.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { TestEventSource } from '../support/event-source.ts';
import { eventually } from '../support/eventually.ts';
import { getJson, post, startHttp } from '../support/http-door.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { connectRaw } from '../support/raw-client.ts';

/** RFC 9113, section 7. */
const NO_ERROR = 0;

interface Overview {
  doors: DoorFacts[];
}

interface Clients {
  clients: ShownClient[];
  total: number;
  next?: string;
}

describe('the list of clients', () => {
  it('has the connections of all doors, each with a number of its own', async () => {
    const { http, frames } = await startHttp({ kafka: { listen: ['tcp://127.0.0.1:0'] } });
    await using client = await connect(frames, { clientId: 'meter-1' });
    await client.publish('a', 'x');
    const mqtt = await connectMqtt(frames, 5, { clientId: 'meter-2' });
    const { clients, total } = await eventually(async () => {
      const list = await getJson<Clients>(`${http}/clients`);
      return list.clients.some(({ clientId, received }) => clientId === 'meter-1' && received === 1)
        ? list
        : undefined;
    }, 'the message that was counted');
    expect(total).toBe(clients.length);
    expect(new Set(clients.map(({ id }) => id)).size).toBe(total);
    expect(clients.map(({ door, clientId }) => [door, clientId])).toEqual(
      expect.arrayContaining([
        ['frames', 'meter-1'],
        ['mqtt', 'meter-2'],
      ]),
    );
    mqtt.drop();
  });

  it('is searched, sorted and turned page by page', async () => {
    const { http, frames } = await startHttp();
    const names = ['pump-1', 'pump-2', 'pump-3', 'valve'];
    const all = await Promise.all(names.map((clientId) => connect(frames, { clientId })));
    const asked = `${http}/clients?search=PUMP&sort=client&limit=2`;
    const first = await getJson<Clients>(asked);
    expect([first.clients.map(({ clientId }) => clientId), first.total]).toEqual([['pump-1', 'pump-2'], 3]);
    const second = await getJson<Clients>(`${asked}&after=${first.next}`);
    expect([second.clients.map(({ clientId }) => clientId), second.next]).toEqual([['pump-3'], undefined]);
    const door = await getJson<Clients>(`${http}/clients?door=http`);
    expect(door.clients.map((client) => client.door)).toContain('http');
    expect(new Set(door.clients.map((client) => client.door)).size).toBe(1);
    await Promise.all(all.map((client) => client.close()));
  });

  it('goes on behind a client that has gone meanwhile', async () => {
    const { http, frames } = await startHttp();
    const [first, ...others] = await Promise.all(
      ['a', 'b', 'c'].map((clientId) => connect(frames, { clientId })),
    );
    const asked = `${http}/clients?door=frames&sort=client&limit=1`;
    const { next } = await getJson<Clients>(asked);
    await first!.close();
    const { clients } = await getJson<Clients>(`${asked}&after=${next}`);
    expect(clients.map(({ clientId }) => clientId)).toEqual(['b']);
    await Promise.all(others.map((client) => client.close()));
  });

  it.each(['x', 'e30', 'W3t9XQ', '%00'])('refuses to go on behind what is no place: %s', async (after) => {
    const { http } = await startHttp();
    expect((await fetch(`${http}/clients?after=${after}`)).status).toBe(400);
  });
});

describe('one client', () => {
  it('is found by its number and by its client id, with its filters and its session', async () => {
    const { http, frames } = await startHttp();
    const mqtt = await connectMqtt(frames, 5, {
      clientId: 'meter/1',
      properties: { sessionExpiryIntervalS: 60 },
    });
    await mqtt.subscribe('a/#', 1);
    const shown = await getJson<ShownClient>(`${http}/clients/meter%2F1`);
    expect(shown).toMatchObject({
      ...{ door: 'mqtt', clientId: 'meter/1', filters: ['a/#'], filterCount: 1 },
      session: { subscriptions: 1, expiryMs: 60_000, waitingMessages: 0 },
    });
    expect(await getJson(`${http}/clients/${shown.id}`)).toMatchObject({ clientId: 'meter/1' });
    expect((await fetch(`${http}/clients/nobody`)).status).toBe(404);
    mqtt.drop();
  });
});

describe('a client that is ended by whoever runs the broker', () => {
  const end = async (http: string, id: string | number) => {
    const answer = await fetch(`${http}/clients/${id}`, { method: 'DELETE' });
    expect(answer.status).toBe(200);
  };

  it('is told so by MQTT 5', async () => {
    const { http, frames } = await startHttp();
    const mqtt = await connectMqtt(frames, 5, { clientId: 'meter' });
    await end(http, 'meter');
    expect(await mqtt.next(PacketType.disconnect)).toMatchObject({
      reasonCode: ReasonCode.administrativeAction,
    });
    await mqtt.ended();
  });

  it('is told so by frames', async () => {
    const { broker, http, frames } = await startHttp();
    await using client = await connectRaw(frames, 'meter');
    await end(http, 'meter');
    const { payload } = await client.expect(FrameType.disconnect);
    expect(Buffer.from(payload).toString()).toContain('ended-by-admin');
    expect(broker.stats()['disconnects_total{code="ended-by-admin"}']).toBe(1);
  });

  it('is told so by the last event of a stream', async () => {
    const { http } = await startHttp();
    const source = await TestEventSource.open(`${http}/topics/a?follow&client=page`);
    await end(http, 'page');
    await eventually(() => source.isOver, 'the end');
    expect(source.events.at(-1)).toMatchObject({ type: 'problem', data: { code: 'ended-by-admin' } });
  });

  it('is told so by GOAWAY of HTTP/2, without an error', async () => {
    const { broker, http } = await startHttp({ grpc: { listen: ['grpc://127.0.0.1:0'] } });
    const raw = new RawHttp2(urlOf(broker, 'grpc'));
    raw.start();
    const { id } = await eventually(
      async () => (await getJson<Clients>(`${http}/clients?door=grpc`)).clients[0],
      'the connection',
    );
    await end(http, id);
    await raw.closed;
    const { payload } = raw.frames.find(({ type }) => type === Type.goaway)!;
    expect(payload.readUInt32BE(4)).toBe(NO_ERROR);
    expect((await getJson<Clients>(`${http}/clients?door=grpc`)).total).toBe(0);
  });

  it('loses its connection where its protocol has no words for it', async () => {
    const { broker, http } = await startHttp({ kafka: { listen: ['tcp://127.0.0.1:0'] } });
    const wire = await KafkaWire.open(broker.listeners.find(({ door }) => door === 'kafka')!.url);
    const { clients } = await getJson<Clients>(`${http}/clients?door=kafka`);
    await end(http, clients[0]!.id);
    await wire.closed;
  });
});

describe('the overview', () => {
  it('counts what went through each door, also by clients that are gone', async () => {
    const { http, frames } = await startHttp();
    const [one, other] = await Promise.all(['a', 'b'].map((clientId) => connect(frames, { clientId })));
    await other!.subscribe('t', () => {});
    for (let count = 0; count < 3; count++) await one!.publish('t', 'x');
    await one!.close();
    const frameDoor = await eventually(async () => {
      const { doors } = await getJson<Overview>(`${http}/overview`);
      const found = doors.find(({ name }) => name === 'frames');
      return found?.connections === 1 && found.messagesOut === 3 ? found : undefined;
    }, 'what the doors did');
    expect(frameDoor).toMatchObject({ messagesIn: 3 });
    await other!.close();
    const after = await eventually(async () => {
      const overview = await getJson<Overview>(`${http}/overview`);
      const found = overview.doors.find(({ name }) => name === 'frames');
      return found?.connections === 0 ? found : undefined;
    }, 'the end of both');
    expect(after).toMatchObject({ messagesIn: 3, messagesOut: 3 });
    expect(after.bytesIn).toBeGreaterThanOrEqual(frameDoor.bytesIn);
  });

  it('says what the broker is and how it is', async () => {
    const { broker, http } = await startHttp({ version: '1.2.3' });
    expect(await getJson(`${http}/overview`)).toMatchObject({
      ...{ version: '1.2.3', listeners: broker.listeners, store: { kind: 'memory', folders: [] } },
      ...{ health: 'pass', sessions: 0, subscriptions: 0, logs: 0, droppedByCode: {} },
    });
  });
});

describe('the history', () => {
  it('has a sample each ten seconds of the last hour, with rates', async () => {
    const clock = new MovableClock();
    const { http } = await startHttp({ clock });
    const read = () => getJson<HistoryFacts>(`${http}/history`);
    await eventually(async () => (await read()).times.length === 1, 'the first sample');
    for (let count = 0; count < 20; count++) await post(http, 'a', 'x');
    await clock.advance(10_000);
    const { stepMs, times, series } = await eventually(async () => {
      const history = await read();
      return history.times.length === 2 ? history : undefined;
    }, 'the second sample');
    expect([stepMs, times[1]! - times[0]! >= 10_000]).toEqual([10_000, true]);
    const [before, after] = series['messagesInPerSecond.http']!;
    expect(before).toBeNull();
    expect(after).toBeGreaterThan(1);
    expect(after).toBeLessThan(3);
    for (const values of Object.values(series)) expect(values.length).toBe(2);
    expect(series.heapBytes![1]).toBeGreaterThan(1_000_000);
  });

  it('is bounded', async () => {
    const clock = new MovableClock();
    const { http } = await startHttp({ clock });
    for (let minute = 0; minute < 62; minute++) await clock.advance(60_000);
    const { times, series } = await getJson<HistoryFacts>(`${http}/history`);
    expect([times.length, series.sessions!.length]).toEqual([360, 360]);
    expect([...times].sort((one, other) => one - other)).toEqual(times);
  });
});
