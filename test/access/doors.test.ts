import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MovableClock } from '../../internal/lib/clock.ts';
import type { AccessDoor, DoorAction, DoorSession, Login, Names, Refused } from './doors/door.ts';
import { frames } from './doors/frames.ts';
import { grpc } from './doors/grpc.ts';
import { http } from './doors/http.ts';
import { kafka } from './doors/kafka.ts';
import { mqtt } from './doors/mqtt.ts';
import { as, World } from './doors/world.ts';

/*
 * Every door, every action that it has, and every way in which a client may or may not do it. A client that may not is told
 * in the words of its protocol, gets nothing, and changes nothing that anybody could see: `World.state` is compared.
 */

const DOORS = [frames(true), frames(false), mqtt(4), mqtt(5), kafka, grpc, http];
const MINUTE_MS = 60_000;
/** How long after its end a token may still be good, where clocks differ. */
const AFTER_END_MS = 31_000;

let world: World;
const sessions: DoorSession[] = [];
beforeAll(async () => {
  world = await World.open();
});
afterEach(async () => {
  for (const session of sessions.splice(0)) session.close();
});
afterAll(() => world?.close());

async function opened(door: AccessDoor, login: Login, there = world): Promise<DoorSession> {
  const session = await door.open(there.places, login);
  sessions.push(session);
  return session;
}

/** What a client is told that is not let in. */
async function refusalOf(door: AccessDoor, login: Login, there = world): Promise<string> {
  return opened(door, login, there).then(
    () => 'let in',
    (error: Refused) => error.message,
  );
}

/** Does what is allowed: it is granted, and does what it is for. */
async function expectDone(session: DoorSession, action: DoorAction, there = world): Promise<Names> {
  const names = await there.prepare();
  const before = await there.state(names);
  const told = await session.perform(action.name, names);
  if (action.granted !== undefined) expect(told).toBe(action.granted);
  else for (const refusal of action.refused) expect(told).not.toBe(refusal);
  if (action.effect === 'changes')
    await expect.poll(() => there.state(names), { timeout: 30_000 }).not.toEqual(before);
  if (action.effect === 'brings') await there.stir(names);
  if (action.effect === 'shows' || action.effect === 'brings')
    await expect.poll(() => session.received, { timeout: 30_000 }).toContain(names.treasure);
  return names;
}

/** Does what is not allowed: it is refused, nothing comes of it, and nothing comes. */
async function expectRefused(
  session: DoorSession,
  action: DoorAction,
  refusals: readonly string[] = action.refused,
  there = world,
): Promise<void> {
  const names = await there.prepare();
  const before = await there.state(names);
  expect(refusals).toContain(await session.perform(action.name, names));
  expect(await there.state(names)).toEqual(before);
  await there.stir(names);
  await session.settle();
  expect(session.received).not.toContain(names.treasure);
}

type LoginWord = 'badLogin' | 'nothingShown' | 'mayNotConnect' | 'certificateMayNotConnect';

describe.each(DOORS)('the door asks: $name', (door) => {
  describe('who may connect', () => {
    it('lets in whoever no rule is against', async () => {
      await world.allow('allowed');
      await opened(door, as('allowed'));
      await opened(door, await world.certificate('carl'));
      await opened(door, as('denied'));
      await opened(door, {});
    });

    it.each<[string, LoginWord, () => Login | Promise<Login>]>([
      ['a wrong password', 'badLogin', () => ({ user: 'allowed', password: 'denied' })],
      ['an unknown user', 'badLogin', () => as('nobody')],
      ['a token that is over', 'badLogin', () => expired()],
      ['a token that is none', 'badLogin', () => ({ token: 'a.b.c' })],
      ['nothing', 'nothingShown', () => ({})],
      ['a user against whom there is a rule', 'mayNotConnect', () => as('denied')],
      [
        ...(['a certificate against whose user there is a rule', 'certificateMayNotConnect'] as const),
        () => world.certificate('dirk'),
      ],
    ])('refuses %s', async (_, word, login) => {
      await world.setRules({ deny: 'connect', users: ['denied', 'dirk'] });
      expect(await refusalOf(door, await login())).toBe(door.words[word] ?? door.words.mayNotConnect);
    });

    async function expired(): Promise<Login> {
      return { token: await world.token('tim', Date.now() - MINUTE_MS) };
    }

    it('ends the connection of a client that may no longer be there', async () => {
      await world.allow('revoked');
      const session = await opened(door, as('revoked'));
      await expectDone(session, door.actions[0]!);
      await world.setRules({ deny: 'connect', users: 'revoked' });
      const { thrownOut, afterwards } = door.words;
      if (thrownOut !== undefined) expect(await session.end()).toBe(thrownOut);
      await expectRefused(session, door.actions[0]!, [afterwards.thrownOut]);
    });
  });

  describe.each(door.actions)('$name', (action) => {
    it('allowed', async () => {
      await world.allow('allowed');
      await expectDone(await opened(door, as('allowed')), action);
    });

    it('denied', async () => {
      await world.allow('allowed');
      await expectRefused(await opened(door, as('denied')), action);
    });

    it('anonymous', async () => {
      await world.allow('allowed');
      await expectRefused(await opened(door, {}), action, action.refusedToAnonymous);
    });

    it('by a certificate, allowed and denied', async () => {
      await world.allow('carl');
      await expectDone(await opened(door, await world.certificate('carl')), action);
      await expectRefused(await opened(door, await world.certificate('dirk')), action);
    });

    it('revoked while connected', async () => {
      await world.allow('revoked');
      const session = await opened(door, as('revoked'));
      const names = await expectDone(session, action);
      const received = session.received.length;
      await world.allow();
      if (action.ends !== undefined) expect(await session.end()).toBe(action.ends);
      await world.stir(names);
      await session.settle();
      expect(session.received.slice(received)).not.toContain(names.treasure);
      const isOver = action.ends?.startsWith('DISCONNECT') || action.ends === 'closed';
      await expectRefused(session, action, isOver ? ['closed'] : action.refused);
    });
  });
});

describe('with a token that ends', () => {
  const clock = new MovableClock(Date.now());
  let there: World;
  beforeAll(async () => {
    there = await World.open(clock);
    await there.allow('tim');
  });
  afterAll(() => there?.close());

  describe.each(DOORS)('the door asks: $name', (door) => {
    it.each(door.actions)('$name', async (action) => {
      const login = { token: await there.token('tim', clock.now() + MINUTE_MS) };
      const session = await opened(door, login, there);
      const names = await expectDone(session, action, there);
      const received = session.received.length;
      await clock.advance(MINUTE_MS + AFTER_END_MS);
      if (door.words.expired !== undefined) expect(await session.end()).toBe(door.words.expired);
      await there.stir(names);
      await session.settle();
      expect(session.received.slice(received)).not.toContain(names.treasure);
      await expectRefused(session, action, [door.words.afterwards.expired], there);
    });
  });
});
