import { expect, it } from 'vitest';
import type { Message } from '../delivery/publication.ts';
import { type Subscription, Subscriptions } from './subscription.ts';

function subscription(filter: string, more: Partial<Subscription> = {}): Subscription {
  return { filter, qos: 1, noLocal: false, retainAsPublished: false, tag: undefined, ...more };
}

function message(topic: string, clientId = 'somebody'): Message {
  return { topic, payload: Buffer.alloc(0), clientId };
}

it('matches alike with few subscriptions and with many, and after some have ended', () => {
  const subscriptions = new Subscriptions();
  const held: Subscription[] = [];
  for (let number = 1; number <= 20; number++) {
    const filters = ['a/+', '#', `a/${number}`, '+/+/c'];
    const one = subscription(`${number}/${filters[number % 4]}`, { tag: number });
    const own = subscription(filters[number % 4].replace('#', `a/${number}/#`), {
      tag: 100 + number,
    });
    for (const each of [one, own]) {
      subscriptions.add(each);
      held.push(each);
    }
    if (number % 3 === 0) subscriptions.remove(held.splice(number % held.length, 1)[0]);
    const match = subscriptions.match(message(`a/${number}`), false);
    const expected = held.filter(({ filter }) => ['a/+', `a/${number}`, `a/${number}/#`].includes(filter));
    expect([...(match?.tags ?? [])].sort()).toEqual(expected.map(({ tag }) => tag).sort());
  }
  for (const each of held) subscriptions.remove(each);
  expect(subscriptions.match(message('a/1'), false)).toBeUndefined();
  expect([subscriptions.areAllPlain, subscriptions.areAllQos0]).toEqual([true, true]);
});

it('leaves out what a client published itself, where it does not want that', () => {
  const subscriptions = new Subscriptions();
  subscriptions.add(subscription('a', { noLocal: true, qos: 2 }));
  subscriptions.add(subscription('+'));
  expect(subscriptions.match(message('a'), true)?.qos).toBe(1);
  expect(subscriptions.match(message('a'), false)?.qos).toBe(2);
});
