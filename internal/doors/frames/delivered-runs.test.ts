import { describe, expect, it } from 'vitest';
import type { FakeConnection } from '../../../test/support/fake-connection.ts';
import { acked, connect, publish, subscribe, told } from '../../../test/support/frame-words.ts';
import { framesDoor } from '../../../test/support/frames-door.ts';
import { randomFrom } from '../../../test/support/random.ts';
import { encodeAck, encodeReturn, NEVER_AGAIN } from '../../protocol/frame/acknowledgements.ts';
import { FrameBit } from '../../protocol/frame/frame.ts';

const SESSION = 'delivery options session session-expiry=60';
const ack = (upTo: number, ...ranges: [number, number][]) => encodeAck(FrameBit.acknowledged, upTo, ranges);
const giveBack = (number: number, afterMs = 0) => encodeReturn({ number, afterMs, reason: '' });

describe('messages that come in one chunk', () => {
  it('are acknowledged one by one, and what is not comes again on the next connection, in order', async () => {
    const { me, other, open } = await withClients(SESSION);
    send(other, ...numbered(1, 5));
    expect(await tell(me)).toEqual(marked(1, 5));
    send(me, ack(2));
    send(other, ...numbered(6, 7));
    send(me, ack(3));
    expect(await tell(me)).toEqual(marked(6, 7));
    me.handler.closed();
    const again = open(connect('me', SESSION));
    expect((await tell(again)).slice(1)).toEqual(marked(4, 7).map((said) => `${said} {"isAgain":true}`));
    send(other, ...numbered(8, 9));
    expect(await tell(again)).toEqual(marked(8, 9));
    send(again, ack(5));
    again.handler.closed();
    expect((await tell(open(connect('me', SESSION)))).slice(1)).toEqual([
      `${marked(9, 9)[0]} {"isAgain":true}`,
    ]);
  });

  it('are acknowledged by ranges and given back from their middle', async () => {
    const { me, other, metrics } = await withClients('delivery window=5');
    send(other, ...numbered(1, 4));
    expect(await tell(me)).toEqual(marked(1, 4));
    send(me, ack(1, [3, 3]), giveBack(2), giveBack(4, NEVER_AGAIN));
    expect(await tell(me)).toEqual(['PUBLISH+ a 2 {"isAgain":true}']);
    expect(metrics.snapshot()['messages_dropped_total{code="rejected-by-client"}']).toBe(1);
    send(other, ...numbered(5, 8));
    expect(await tell(me)).toEqual(marked(5, 8));
    expect(metrics.snapshot().session_messages_unacknowledged).toBe(5);
    send(me, ack(4), ack(4, [6, 9]));
    expect(metrics.snapshot().session_messages_unacknowledged).toBe(1);
    send(me, ack(9));
    expect(metrics.snapshot().session_messages_unacknowledged).toBe(0);
  });

  it('wait where the client takes not all of them', async () => {
    const { me, other } = await withClients('delivery window=3');
    send(other, ...numbered(1, 2));
    send(other, ...numbered(3, 5));
    expect(await tell(me)).toEqual(marked(1, 3));
    send(other, ...numbered(6, 6));
    send(me, ack(2));
    expect(await tell(me)).toEqual(marked(4, 5));
    send(me, ack(5));
    expect(await tell(me)).toEqual(marked(6, 6));
  });

  it('reach several that count, and others, each as it agreed', async () => {
    const { me, other, open, connected } = await withClients('delivery');
    const second = await opened(open, 'delivery headers', 'second');
    send(second, subscribe('#', { acknowledged: true }));
    await tell(second);
    const plain = await connected('plain', '#');
    send(other, ...numbered(1, 2), acked('b', '3'), publish('a', '4'), acked('a', '5', { contentType: 'x' }));
    const counted = [...marked(1, 2), 'PUBLISH+ b 3', 'PUBLISH a 4'];
    expect(await tell(me)).toEqual([...marked(1, 2), 'PUBLISH a 4', 'PUBLISH+ a 5']);
    expect(await tell(second)).toEqual([...counted, 'PUBLISH+ a 5 {"contentType":"x"}']);
    expect(await tell(plain)).toEqual(['a 1', 'a 2', 'b 3', 'a 4', 'a 5'].map((said) => `PUBLISH ${said}`));
  });

  it('are each seen by who traces, also when they were sent before', async () => {
    const { me, other, broker } = await withClients('delivery');
    send(other, ...numbered(1, 3));
    const steps: string[] = [];
    const end = broker.tracing.start({ filter: 'a' }, ({ step, client }) => {
      steps.push(`${step} ${client}`);
      return true;
    });
    send(me, ack(2));
    end();
    send(me, ack(3));
    expect(steps).toEqual(['acknowledged me', 'acknowledged me']);
  });
});

/**
 * The same at random to two clients: one whose subscription leaves nothing to look at, and one that does not want its own
 * messages, so that each is looked at and sent alone.
 */
describe.each(['gives back', 'comes again'] as const)('a client that %s', (habit) => {
  it.each([1, 2, 3, 4, 5, 6])('hears the same in runs as one by one, seed %i', async (seed) => {
    const random = randomFrom(seed);
    const offer = `${habit === 'comes again' ? SESSION : 'delivery options'} window=12`;
    const both = [await withClients(offer), await withClients(offer, { noLocal: true })];
    let published = 0;
    let sent = 0;
    for (let step = 0; step < 60; step++) {
      const frames: Uint8Array[] = [];
      const choice = random(10);
      if (choice < 4) {
        const first = published + 1;
        published += 1 + random(6);
        for (const { other } of both) send(other, ...numbered(first, published));
      } else if (choice < 7) {
        frames.push(ack(random(sent + 1)));
      } else if (choice < 8 && sent > 4) {
        const first = 2 + random(sent - 3);
        frames.push(ack(first - 2, [first, first + random(sent - first + 1)]));
      } else if (habit === 'gives back') {
        if (sent > 0) frames.push(giveBack(1 + random(sent), random(2) === 0 ? 0 : NEVER_AGAIN));
      } else if (choice === 9) {
        for (const one of both) {
          one.me.handler.closed();
          one.me = one.open(connect('me', offer));
        }
        sent = -1;
      }
      for (const { me } of both) if (frames.length > 0) send(me, ...frames);
      const [inRuns, alone] = await Promise.all(both.map(({ me }) => tell(me)));
      expect(inRuns).toEqual(alone);
      sent += inRuns!.length;
    }
    const [one, other] = both.map(({ metrics }) => metrics.snapshot());
    expect(one!.session_messages_unacknowledged).toBe(other!.session_messages_unacknowledged);
    expect(one!.messages_delivered_total).toBe(other!.messages_delivered_total);
  });
});

/** A client `me` that subscribed to `a`, and another one that publishes. */
async function withClients(offer: string, said = {}) {
  const door = framesDoor();
  const me = await opened(door.open, offer);
  const other = await opened(door.open, 'acks headers', 'other');
  send(me, subscribe('a', { acknowledged: true, ...said }));
  await tell(me);
  return { ...door, me, other };
}

async function opened(open: (first: Uint8Array) => FakeConnection, offer: string, id = 'me') {
  const connection = open(connect(id, offer));
  expect((await tell(connection))[0]).toContain('CONNACK');
  return connection;
}

function numbered(first: number, last: number): Uint8Array[] {
  return countUp(first, last).map((number) => acked('a', `${number}`));
}

function marked(first: number, last: number): string[] {
  return countUp(first, last).map((number) => `PUBLISH+ a ${number}`);
}

function countUp(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function send(connection: FakeConnection, ...frames: Uint8Array[]): void {
  connection.handler.bytes(Buffer.concat(frames));
}

/** What comes until nothing more does: a busy machine has a chunk taken in several turns. */
async function tell(connection: FakeConnection): Promise<string[]> {
  const all: string[] = [];
  for (let quiet = 0; quiet < 4; quiet++) {
    const said = (await connection.frames()).map(told);
    if (said.length > 0) quiet = 0;
    all.push(...said);
  }
  return all;
}
