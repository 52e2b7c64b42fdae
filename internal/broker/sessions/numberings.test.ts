import { expect, it } from 'vitest';
import { identityOfTest } from '../../../test/support/access.ts';
import { MovableClock } from '../../lib/clock.ts';
import { maxNumberings, numberingExpiryMs } from '../../limits/broker.ts';
import { Receipt } from '../delivery/receipt.ts';
import { Numberings } from './numberings.ts';

function setUp() {
  const clock = new MovableClock();
  const stored = new Map<string, number>();
  const store = {
    putNumbering: ({ clientId, seen }: { clientId: string; seen: number }) => stored.set(clientId, seen),
    deleteNumbering: ({ clientId }: { clientId: string }) => stored.delete(clientId),
  };
  const numberings = new Numberings(store, clock);
  const open = (clientId: string, name = 'first') => numberings.open(identityOfTest(clientId), name);
  const publish = (clientId: string, upTo: number, name = 'first') =>
    numberings.published(open(clientId, name), upTo, new Receipt());
  return { clock, numberings, stored, open, publish };
}

// Every client of the SDK names a producer when it connects. A hundred thousand that came, published nothing and went had the
// broker forget the numbers of those that did publish, so that what they sent again came twice.
it('as many clients as there may be that name a producer and never publish push out nobody', () => {
  const { numberings, stored, open, publish } = setUp();
  publish('producer', 7);
  for (let index = 0; index <= maxNumberings; index++) open(`${index}`);
  expect(numberings.count).toBe(1);
  expect(open('producer').seen).toBe(7);
  expect([...stored]).toEqual([['producer', 7]]);
});

it('the one that was used longest ago makes room, and not one that stayed connected and went on publishing', () => {
  const { numberings, stored, open, publish } = setUp();
  const stays = open('stays');
  numberings.published(stays, 1, new Receipt());
  publish('oldest', 1);
  for (let index = numberings.count; index < maxNumberings; index++) publish(`${index}`, 1);
  numberings.published(stays, 2, new Receipt());
  publish('newcomer', 1);
  expect(numberings.count).toBe(maxNumberings);
  expect(stored.has('oldest')).toBe(false);
  expect(open('stays').seen).toBe(2);
});

it('one that made room while its client was connected is kept again with the next message', () => {
  const { numberings, stored, open, publish } = setUp();
  const early = open('early');
  numberings.published(early, 1, new Receipt());
  for (let index = 0; index < maxNumberings; index++) publish(`${index}`, 1);
  expect(stored.has('early')).toBe(false);
  numberings.published(early, 2, new Receipt());
  expect(stored.get('early')).toBe(2);
  expect(open('early')).toBe(early);
});

it('another name takes the place of the one before with its first message, refused or not', () => {
  const { numberings, open, publish } = setUp();
  publish('me', 5);
  const second = open('me', 'second');
  expect(second.seen).toBe(0);
  expect(open('me').seen).toBe(5);
  numberings.passOver(second, 1);
  expect(open('me', 'second').seen).toBe(1);
  expect(open('me').seen).toBe(0);
});

it('one that is not used for its time is not taken up again', async () => {
  const { clock, open, publish } = setUp();
  publish('me', 5);
  await clock.advance(numberingExpiryMs);
  expect(open('me').seen).toBe(0);
});
