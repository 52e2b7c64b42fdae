import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyFilter, anyTopic } from '../test/support/arbitraries.ts';
import {
  coversFilter,
  filterProblem,
  isReservedTopic,
  matchesFilter,
  parseShared,
  reservedTopicProblem,
  topicNameProblem,
} from './topic.ts';

describe('topic names', () => {
  it.each(['a', '/', '//', 'a//b', ' ', 'ü€🚀', '$SYS/x', 'x'.repeat(65_535)])('accepts %j', (topic) => {
    expect(topicNameProblem(topic)).toBeUndefined();
  });

  it.each([
    ['', 'a topic has at least one byte'],
    ['a\0b', 'a topic has no NUL byte'],
    ['a/+', '+ and # belong in filters, not in a topic'],
    ['a#', '+ and # belong in filters, not in a topic'],
    ['x'.repeat(65_536), 'a topic has at most 65535 bytes'],
    ['ü'.repeat(32_768), 'a topic has at most 65535 bytes'],
    ['a/\ud83d', 'a topic has no half of a surrogate pair'],
  ])('refuses %j', (topic, problem) => {
    expect(topicNameProblem(topic)).toBe(problem);
  });
});

describe('names of the broker', () => {
  it.each(['$SYS', '$SYS/broker/uptime', '$SYS/broker/connection', '$share/g/a', '$replay/earliest/a'])(
    'are %j',
    (topic) => expect(isReservedTopic(topic)).toBe(true),
  );

  it.each(['$stream/a', '$queue/a', '$delayed/5/a', '$dlq'])('may be %j one day', (topic) => {
    expect(isReservedTopic(topic)).toBe(true);
  });

  it.each([
    '$',
    '$/SYS',
    '$aws/things/pump/shadow/update',
    '$iothub/twin/PATCH',
    '$SYSTEM/a',
    '$sys/a',
    '$shared/a',
    'a/$SYS',
    '$SYS/broker/connection/gateway.cloud/state',
  ])('are not %j', (topic) => expect(isReservedTopic(topic)).toBe(false));

  it('say which one it is', () => {
    expect(reservedTopicProblem('$SYS/broker/uptime')).toBe('$SYS and what is below it belong to the broker');
  });
});

describe('filters', () => {
  it.each([
    '#',
    '+',
    '+/+',
    '/+',
    'a/#',
    'a/+/#',
    '+/b/#',
    '$SYS/#',
    '$share/g/#',
    '$share/g/a/+',
    '/',
    '$share'.slice(0, 3),
  ])('accepts %j', (filter) => {
    expect(filterProblem(filter)).toBeUndefined();
  });

  it.each([
    ['', 'a filter has at least one byte'],
    ['a/#/b', '# must be the whole last level'],
    ['a#', '# must be the whole last level'],
    ['#/a', '# must be the whole last level'],
    ['a+', '+ must be a whole level'],
    ['a/b+/c', '+ must be a whole level'],
    ['$share/g', 'a shared filter is $share/GROUP/FILTER'],
    ['$share', 'a shared filter is $share/GROUP/FILTER'],
    ['$share//a', 'a shared filter is $share/GROUP/FILTER'],
    ['$share/g/', 'a shared filter is $share/GROUP/FILTER'],
    ['$share/g+/a', 'the group of a shared filter has no + and no #'],
    ['$share/g/a/#/b', '# must be the whole last level'],
    ['$share/g/$share/h/a', 'a shared filter is not shared again'],
    [`${'$share/g/'.repeat(7_000)}a`, 'a shared filter is not shared again'],
    ['\ude80', 'a filter has no half of a surrogate pair'],
  ])('refuses %j', (filter, problem) => {
    expect(filterProblem(filter)).toBe(problem);
  });

  it('takes a shared filter apart', () => {
    expect(parseShared('$share/workers/jobs/#')).toEqual({ group: 'workers', filter: 'jobs/#' });
    expect(parseShared('jobs/#')).toBeUndefined();
  });
});

/** The examples of MQTT 5, section 4.7, and what the design adds. */
describe('matching', () => {
  it.each([
    ['sport/tennis/player1/#', 'sport/tennis/player1', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/ranking', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
    ['sport/#', 'sport', true],
    ['sport/#', 'sports', false],
    ['#', 'sport/tennis', true],
    ['#', '/', true],
    ['sport/tennis/+', 'sport/tennis/player1', true],
    ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
    ['sport/+', 'sport', false],
    ['sport/+', 'sport/', true],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['+', '/finance', false],
    ['a/+/#', 'a/b', true],
    ['a/+/#', 'a', false],
    ['+/#', 'a', true],
    ['a//b', 'a//b', true],
    ['a/+/b', 'a//b', true],
    ['a', 'A', false],
    ['#', '$SYS/clients', false],
    ['+/clients', '$SYS/clients', false],
    ['$SYS/#', '$SYS/clients', true],
    ['$SYS/#', '$SYS', true],
    ['#', '$aws/a', false],
    ['+/a', '$aws/a', false],
    ['$aws/+', '$aws/a', true],
    ['$share/g/#', '$aws/a', false],
    ['$SYS/+', '$SYS/clients', true],
    ['a/#', '$SYS', false],
    ['$share/g/a/#', 'a/b', true],
    ['$share/g/#', '$SYS/a', false],
    ['$replay/earliest/a/#', 'a/b', true],
    ['$replay/-1h/a/+', 'a/b/c', false],
    ['$replay/2026-11-21T06:00:00Z/#', 'a', true],
  ])('%j and %j: %s', (filter, topic, expected) => {
    expect(matchesFilter(filter, topic)).toBe(expected);
  });
});

describe('a filter that covers another', () => {
  it('matches every topic that the other one matches', () => {
    fc.assert(
      fc.property(anyFilter, anyFilter, anyTopic, (wider, filter, topic) => {
        fc.pre(coversFilter(wider, filter) && matchesFilter(filter, topic));
        expect(matchesFilter(wider, topic)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['#', 'a/+/#'],
    ['a/#', 'a'],
    ['a/#', 'a/+/b'],
    ['+/b', 'a/b'],
    ['a/+/#', 'a/+'],
  ])('%s covers %s, and not the other way round', (wider, filter) => {
    expect([coversFilter(wider, filter), coversFilter(filter, wider)]).toEqual([true, false]);
  });

  it.each(['a', 'a/+', 'a/#', '#', '$x/#'])('covers itself: %s', (filter) => {
    expect(coversFilter(filter, filter)).toBe(true);
  });
});
