import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { identityOfTest } from '../../../test/support/access.ts';
import { anyFilter, anyTopic } from '../../../test/support/arbitraries.ts';
import { MovableClock } from '../../lib/clock.ts';
import { Schedule } from '../../lib/schedule.ts';
import { Metrics } from '../../observe/metrics.ts';
import { matchesFilter } from '../../topic.ts';
import type { Message } from '../delivery/publication.ts';
import { Retained, type RetainedStore } from './retained.ts';

function message(topic: string, payload = 'x', expiresAtMs?: number): Message {
  return { topic, payload: Buffer.from(payload), clientId: 'me', retain: true, expiresAtMs };
}

function topicsOf(messages: Iterable<Message>): string[] {
  return [...messages].map(({ topic }) => topic).sort();
}

class Written implements RetainedStore {
  readonly calls: string[] = [];
  readonly isBehind = false;
  holdBack(): void {}
  putRetained({ topic }: Message): void {
    this.calls.push(`put ${topic}`);
  }
  deleteRetained(topic: string): void {
    this.calls.push(`delete ${topic}`);
  }
  expireRetained(topic: string): void {
    this.deleteRetained(topic);
  }
}

describe('retained messages', () => {
  it('are found by the rules of filters, whatever came and went [MQTT-3.3.1-5] [MQTT-4.7.2-1]', () => {
    const change = fc.record({ topic: anyTopic, payload: fc.constantFrom('', 'x', 'y') });
    fc.assert(
      fc.property(fc.array(change), anyFilter, (changes, filter) => {
        const retained = new Retained(new Metrics());
        const expected = new Map<string, string>();
        for (const { topic, payload } of changes) {
          retained.set(message(topic, payload));
          if (payload === '') expected.delete(topic);
          else expected.set(topic, payload);
        }
        const topics = [...expected.keys()];
        expect(retained.count).toBe(topics.length);
        expect(topicsOf(retained.find(filter))).toEqual(
          topics.filter((topic) => matchesFilter(filter, topic)).sort(),
        );
        for (const topic of topics) retained.set(message(topic, ''));
        expect(retained.count).toBe(0);
        expect(retained.bytes).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('are replaced by the next one, and cleared by one without payload [MQTT-3.3.1-6]', () => {
    const store = new Written();
    const retained = new Retained(new Metrics(), undefined, store);
    retained.set(message('a', '1'));
    retained.set(message('a', '2'));
    expect([...retained.find('a')].map(({ payload }) => String(payload))).toEqual(['2']);
    retained.set(message('a', ''));
    retained.set(message('a', ''));
    expect(topicsOf(retained.find('#'))).toEqual([]);
    expect(store.calls).toEqual(['put a', 'put a', 'delete a']);
  });

  it('are bounded by user and by client, whatever came and went; others and what shrinks are not', () => {
    const bounds = [
      { most: 20, isOfClient: false },
      { most: 12, isOfClient: true },
    ];
    const retained = new Retained(new Metrics(), undefined, undefined, ({ user }) =>
      user === 'anna' ? bounds : [],
    );
    const set = (clientId: string, topic: string, payload: string, user = 'anna') =>
      retained.set({ ...message(topic, payload), clientId }, undefined, {
        ...identityOfTest(clientId),
        user,
      });
    set('one', 'a', 'x'.repeat(9));
    expect(() => set('one', 'b', 'x'.repeat(2))).toThrow(
      "too-many-retained: topic 'b': the client may have 12 bytes",
    );
    set('two', 'b', 'x'.repeat(8));
    expect(() => set('three', 'c', 'x')).toThrow("topic 'c': the user may have 20 bytes retained");
    set('ben', 'a', 'x'.repeat(500), 'ben');
    set('three', 'c', 'x'.repeat(9));
    expect(() => set('three', 'd', '')).not.toThrow();
    set('three', 'c', '');
    set('three', 'a', 'x'.repeat(9));
    set('three', 'a', 'x'.repeat(4));
    expect(retained.bytes).toBe(14);
    expect(topicsOf(retained.find('#'))).toEqual(['a', 'b']);
  });

  it('expire', async () => {
    const clock = new MovableClock(0);
    const store = new Written();
    const retained = new Retained(new Metrics(), new Schedule(clock), store);
    retained.set(message('short', 'x', 100_000));
    retained.set(message('prolonged', 'x', 100_000));
    retained.set(message('prolonged', 'x', 300_000));
    retained.set(message('long'));
    store.calls.length = 0;
    expect(topicsOf(retained.find('#', 99_999))).toEqual(['long', 'prolonged', 'short']);
    expect(topicsOf(retained.find('#', 100_000))).toEqual(['long', 'prolonged']);
    await clock.advance(150_000);
    expect(retained.count).toBe(2);
    expect(store.calls).toEqual(['delete short']);
    await clock.advance(200_000);
    expect(topicsOf(retained.find('#', 0))).toEqual(['long']);
  });

  it.each([
    ['site/+/device/777777/state', 1, 'each site'],
    ['site/77/device/+/state', 1_000, 'the devices of a site'],
    ['site/77/#', 1_000, 'all below a site'],
    ['+/77/+/777777/#', 0, 'hardly anything'],
    ['site/77/device/77/state', 1, 'its own name'],
    ['other/#', 0, 'nothing'],
  ])('are found among a million by %s (%i) looking at %s only', (filter, matches, _) => {
    let looks = 0;
    const visits = visitsOf(() => {
      looks = topicsOf(million().find(filter)).length;
    });
    expect(looks).toBe(matches);
    // A site has 1,000 devices of two levels each, and there are 1,000 sites.
    expect(visits).toBeLessThan(5_000);
    expect(visits).toBeGreaterThan(0);
  });

  it('have topics of very many levels', () => {
    const retained = new Retained(new Metrics());
    const deep = 'a/'.repeat(30_000);
    retained.set(message(deep));
    expect(topicsOf(retained.find(deep))).toEqual([deep]);
    expect(topicsOf(retained.find('#'))).toEqual([deep]);
    retained.set(message(deep, ''));
    expect(retained.count).toBe(0);
  });
});

let filled: Retained | undefined;

/** A million retained topics: 1,000 sites of 1,000 devices each. */
function million(): Retained {
  if (filled !== undefined) return filled;
  filled = new Retained(new Metrics());
  const payload = Buffer.from('x');
  for (let index = 0; index < 1_000_000; index++) {
    const topic = `site/${index % 1_000}/device/${index}/state`;
    filled.set({ topic, payload, clientId: 'me', retain: true });
  }
  return filled;
}

/** How many levels of names a search looks at: each is an entry of a map that is looked up or walked over. */
function visitsOf(search: () => void): number {
  million();
  let visits = 0;
  const { get, entries } = Map.prototype;
  const iterator = Map.prototype[Symbol.iterator];
  Map.prototype.get = function (key) {
    visits++;
    return get.call(this, key);
  };
  Map.prototype.entries = counted;
  Map.prototype[Symbol.iterator] = counted;
  try {
    search();
  } finally {
    Object.assign(Map.prototype, { get, entries, [Symbol.iterator]: iterator });
  }
  return visits;

  function counted(this: Map<unknown, unknown>): MapIterator<[unknown, unknown]> {
    const all = entries.call(this);
    const next = all.next;
    all.next = () => {
      visits++;
      return next.call(all);
    };
    return all;
  }
}
