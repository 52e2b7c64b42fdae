import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { AccessDoor, DoorSession, Names } from './doors/door.ts';
import { frames } from './doors/frames.ts';
import { grpc } from './doors/grpc.ts';
import { http } from './doors/http.ts';
import { kafka } from './doors/kafka.ts';
import { mqtt } from './doors/mqtt.ts';
import { as, World } from './doors/world.ts';

/*
 * Rules change twenty times while messages come. Each second change takes the rights of one reader away, which is told, gets
 * nothing any more, and comes back behind the next change. Another reader and its publisher keep theirs, and lose nothing.
 */

const DOORS = [frames(true), frames(false), mqtt(4), mqtt(5), kafka, grpc, http];
const CHANGES = 20;
const SENT_EACH_TICK = 5;
const TICK_MS = 10;

let world: World;
let sessions: DoorSession[] = [];
beforeAll(async () => {
  world = await World.open();
});
afterEach(() => {
  for (const session of sessions) session.close();
  sessions = [];
});
afterAll(() => world?.close());

describe.each(DOORS)('while rules change under load: $name', (door) => {
  it('what stays allowed loses nothing, and what is forbidden ends with a reason', async () => {
    await world.allow('allowed', 'revoked');
    const [open, secret] = [await world.prepare(), await world.prepare()];
    const keeper = await Flow.open(door, 'allowed', open);
    const other = await Flow.open(door, 'allowed', secret);
    const waitedMs: number[] = [];
    for (let change = 0; change < CHANGES; change += 2) {
      const reader = await reading(door, 'revoked', secret);
      await eventually(() => reader.received.includes('number-'), 'messages while they are allowed');
      const from = performance.now();
      await world.allow('allowed');
      expect(await reader.end()).toBe(endOf(door));
      waitedMs.push(Math.round(performance.now() - from));
      const came = numbersIn(reader.received).length;
      const sent = other.sent;
      await eventually(() => other.sent > sent + 20, 'messages behind the change');
      await reader.settle();
      expect(numbersIn(reader.received)).toHaveLength(came);
      reader.close();
      await world.allow('allowed', 'revoked');
    }
    await other.expectAll();
    await keeper.expectAll();
    console.info(`${door.name}: told after ${Math.max(...waitedMs)} ms at most`);
  });
});

function endOf({ actions, following }: AccessDoor): string {
  const { ends, refused } = actions.find(({ name }) => name === following)!;
  return ends ?? refused[0]!;
}

async function opened(door: AccessDoor, user: string): Promise<DoorSession> {
  const session = await door.open(world.places, as(user));
  sessions.push(session);
  return session;
}

async function reading(door: AccessDoor, user: string, names: Names): Promise<DoorSession> {
  const session = await opened(door, user);
  const { granted } = door.actions.find(({ name }) => name === door.following)!;
  expect(await session.follow(names)).toBe(granted ?? 'none');
  return session;
}

/** The numbers of the messages that came. */
function numbersIn(received: string): number[] {
  return Array.from(received.matchAll(/number-(\d+);/g), ([, number]) => Number(number));
}

/** A publisher that sends numbers, and a reader that gets them. */
class Flow {
  sent = 0;
  readonly #reader: DoorSession;
  readonly #timer: NodeJS.Timeout;

  private constructor(writer: DoorSession, reader: DoorSession, names: Names) {
    this.#reader = reader;
    this.#timer = setInterval(() => {
      for (let time = 0; time < SENT_EACH_TICK; time++) writer.send(names, `number-${this.sent++};`);
    }, TICK_MS);
  }

  static async open(door: AccessDoor, user: string, names: Names): Promise<Flow> {
    const reader = await reading(door, user, names);
    return new Flow(await opened(door, user), reader, names);
  }

  /** Ends it. Everything came, once and in its order. */
  async expectAll(): Promise<void> {
    clearInterval(this.#timer);
    const last = `number-${this.sent - 1};`;
    await eventually(() => this.#reader.received.includes(last), 'the last message');
    expect(numbersIn(this.#reader.received)).toEqual(Array.from({ length: this.sent }, (_, index) => index));
  }
}
