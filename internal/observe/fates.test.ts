import { describe, expect, it } from 'vitest';
import { type Fate, Fates } from './fates.ts';
import { METRICS } from './metric-table.ts';
import { Metrics } from './metrics.ts';

function setUp() {
  const metrics = new Metrics();
  const lines: unknown[] = [];
  const at = (level: string) => (fields: object, message: string) => lines.push([level, fields, message]);
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { metrics, log, lines, fates: new Fates(metrics, log) };
}

describe('fates', () => {
  it('are counted by their code, and logged with who it was and why', () => {
    const { fates, metrics, lines } = setUp();
    const who = { client: 'a', remote: 'here' };
    fates.tell({ outcome: 'disconnected', code: 'taken-over', who, reason: 'again', line: 'gone' });
    fates.tell({
      outcome: 'dropped',
      code: 'session-queue-full',
      count: 3,
      details: { topic: 't' },
      line: 'full',
    });
    fates.tell({ outcome: 'disconnected', code: 'server-shutdown', level: 'debug', line: 'gone' });
    expect(lines).toEqual([
      ['info', { client: 'a', remote: 'here', code: 'taken-over', reason: 'again' }, 'gone'],
      ['warn', { code: 'session-queue-full', topic: 't' }, 'full'],
      ['debug', { code: 'server-shutdown' }, 'gone'],
    ]);
    expect(metrics.snapshot()).toMatchObject({
      'disconnects_total{code="taken-over"}': 1,
      'disconnects_total{code="server-shutdown"}': 1,
      'messages_dropped_total{code="session-queue-full"}': 3,
    });
  });

  it('count without a line what is logged already', () => {
    const { fates, metrics, lines } = setUp();
    fates.tell({ outcome: 'refused', code: 'not-authorized' });
    fates.counter('refused', 'not-authorized').value += 2;
    expect(lines).toEqual([]);
    expect(metrics.snapshot()['refusals_total{code="not-authorized"}']).toBe(3);
  });

  it('have the same counters in every room, and sums under the names that were there before the codes', () => {
    const { fates, metrics, log } = setUp();
    const others = new Fates(metrics, log);
    fates.tell({ outcome: 'dropped', code: 'slow-consumer', count: 2 });
    others.tell({ outcome: 'dropped', code: 'slow-consumer' });
    others.tell({ outcome: 'dropped', code: 'packet-too-large' });
    expect(fates.sum('dropped')).toBe(4);
    expect(fates.sum('expired')).toBe(0);
    expect(metrics.snapshot()).toEqual({
      connection_problems_total: 0,
      log_messages_lost_total: 0,
      messages_dropped_total: 4,
      'messages_dropped_total{code="slow-consumer"}': 3,
      'messages_dropped_total{code="packet-too-large"}': 1,
    });
    const dropped = [...metrics.read()].find(({ name }) => name === 'messages_dropped_total');
    expect(dropped).toMatchObject({ help: METRICS.messages_dropped_total.help });
    expect(dropped?.samples.map(({ labels }) => labels)).toEqual([
      { code: 'slow-consumer' },
      { code: 'packet-too-large' },
    ]);
  });
});

it('tells whoever listens of each fate of every room, until that ends', () => {
  const metrics = new Metrics();
  const lines: string[] = [];
  const logOf = (room: string) => {
    const note = (_: object, line: string) => void lines.push(`${room}: ${line}`);
    return { debug: note, info: note, warn: note, error: note };
  };
  const fates = new Fates(metrics, logOf('broker'));
  const door = fates.logging(logOf('door'));
  const told: Fate[] = [];
  const end = door.onFate((fate) => told.push(fate));
  const first: Fate = { outcome: 'refused', code: 'invalid-topic', who: { client: 'a' }, line: 'refused' };
  const second: Fate = { outcome: 'expired', code: 'message-expired', count: 3 };
  door.tell(first);
  fates.tell(second);
  fates.counter('dropped', 'slow-consumer').value++;
  end();
  fates.tell(first);
  expect([told, lines]).toEqual([
    [first, second],
    ['door: refused', 'broker: refused'],
  ]);
  expect([fates.sum('refused'), door.sum('expired')]).toEqual([2, 3]);
});
