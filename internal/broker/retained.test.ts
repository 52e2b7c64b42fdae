import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyFilter, anyTopic } from '../../test/support/arbitraries.ts';
import { Metrics } from '../metrics/metrics.ts';
import { matchesFilter } from '../topic.ts';
import type { Message } from './publication.ts';
import { Retained, type RetainedStore } from './retained.ts';

function message(topic: string, payload = 'x', expiresAtMs?: number): Message {
  return { topic, payload: Buffer.from(payload), clientId: 'me', retain: true, expiresAtMs };
}

function topicsOf(messages: Iterable<Message>): string[] {
  return [...messages].map(({ topic }) => topic).sort();
}

class Written implements RetainedStore {
  readonly calls: string[] = [];
  putRetained({ topic }: Message): void {
    this.calls.push(`put ${topic}`);
  }
  deleteRetained(topic: string): void {
    this.calls.push(`delete ${topic}`);
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
    const retained = new Retained(new Metrics());
    const store = new Written();
    retained.store = store;
    retained.set(message('a', '1'));
    retained.set(message('a', '2'));
    expect([...retained.find('a')].map(({ payload }) => String(payload))).toEqual(['2']);
    retained.set(message('a', ''));
    retained.set(message('a', ''));
    expect(topicsOf(retained.find('#'))).toEqual([]);
    expect(store.calls).toEqual(['put a', 'put a', 'delete a']);
  });

  it('expire', () => {
    const retained = new Retained(new Metrics());
    const store = new Written();
    retained.set(message('short', 'x', 100));
    retained.set(message('prolonged', 'x', 100));
    retained.set(message('prolonged', 'x', 300));
    retained.set(message('long'));
    retained.store = store;
    expect(topicsOf(retained.find('#', 99))).toEqual(['long', 'prolonged', 'short']);
    expect(topicsOf(retained.find('#', 100))).toEqual(['long', 'prolonged']);
    retained.expire(100);
    expect(retained.count).toBe(2);
    expect(store.calls).toEqual(['delete short']);
    retained.expire(300);
    expect(topicsOf(retained.find('#', 0))).toEqual(['long']);
  });

  it('are found among a hundred thousand without looking at all of them', () => {
    const retained = new Retained(new Metrics());
    for (let index = 0; index < 100_000; index++) {
      retained.set(message(`site/${index % 100}/device/${index}/state`));
    }
    const start = performance.now();
    for (let round = 0; round < 100; round++) {
      expect(topicsOf(retained.find('site/+/device/77777/state'))).toEqual(['site/77/device/77777/state']);
    }
    const selective = performance.now() - start;
    const all = performance.now();
    expect([...retained.find('#')]).toHaveLength(100_000);
    // A hundred selective searches look at 20,000 levels together, the one for everything at 200,000.
    expect(selective).toBeLessThan(10 * (performance.now() - all) + 100);
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
