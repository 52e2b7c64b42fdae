import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { peerOfTest } from '../../../../test/support/access.ts';
import { challengeOf, ScramClient } from '../../../../test/support/sasl.ts';
import { directoryOf, userOf } from '../../../../test/support/users.ts';
import { isRefusal, type SaslStep } from '../../authenticator.ts';
import { HashQueue } from '../hash-queue.ts';
import { UserAuthenticator } from '../user-authenticator.ts';

/** Never in a text that a client or the log gets. */
const PASSWORD = 'S3cret!pw';
const directory = directoryOf(await userOf('alice', PASSWORD));

/** Takes the place of scrypt, which would take most of the time here. */
class Hashless extends HashQueue {
  override async run<T>(): Promise<T> {
    return false as T;
  }
}

const users = new UserAuthenticator({ directory, allowsAnonymous: false, queue: new Hashless() });
const outcomes = { challenges: 0, refusals: 0 };
afterAll(() => {
  // The messages reach behind the first step, and not only the parser.
  expect(outcomes.challenges).toBeGreaterThan(100);
  expect(outcomes.refusals).toBeGreaterThan(100);
});

const fragments = [
  ...['n,,', 'y,,', 'p=tls-unique,,', 'n=alice', 'n=bob', 'r=', 'abc', ',', '=', '=2C', '=3D', 'a=', 'm=x'],
  ...[
    'c=biws',
    'c=eSws',
    'p=',
    'AAAA',
    '\0',
    'alice',
    PASSWORD,
    '\x01',
    'auth=Bearer ',
    'eyJ',
    'host=a',
    '\n',
  ],
];
const message = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc.array(fc.constantFrom(...fragments), { maxLength: 10 }).map((parts) => Buffer.from(parts.join(''))),
  fc
    .constantFrom('n,,n=alice,r=abc', '\0alice\0wrong', `\0alice\0${PASSWORD}x`, 'n,,n=bob,r=abc')
    .map(Buffer.from),
  // A message of megabytes is not looked into.
  fc.constant(Buffer.alloc(2_000_000, 'n,')),
);

function check(step: SaslStep): void {
  if (isRefusal(step)) {
    outcomes.refusals++;
    expect(`${step.reason} ${step.cause}`).not.toContain(PASSWORD);
    expect(step.reason.length).toBeLessThan(200);
    expect(step.reason).not.toMatch(/\p{Cc}/u);
    return;
  }
  // Nobody who does not know the password comes through.
  expect(step.kind).toBe('challenge');
  outcomes.challenges++;
  expect(Buffer.from(step.bytes).toString()).not.toContain(PASSWORD);
}

describe('any messages of an exchange', () => {
  it('end in a refusal, and never in an exception or an identity', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...users.mechanisms),
        fc.array(message, { minLength: 1, maxLength: 4 }),
        async (mechanism, messages) => {
          const exchange = users.beginExchange(peerOfTest('c'), mechanism);
          if (isRefusal(exchange)) throw new Error(exchange.reason);
          for (const each of messages) check(await exchange.step(each));
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('that are right but for one byte are refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const exchange = users.beginExchange(peerOfTest('c'), 'SCRAM-SHA-256');
        if (isRefusal(exchange)) throw new Error(exchange.reason);
        const client = new ScramClient('SCRAM-SHA-256', 'alice', PASSWORD);
        const final = Buffer.from(client.final(challengeOf(await exchange.step(Buffer.from(client.first)))));
        final[at % final.length]! ^= flip;
        check(await exchange.step(final));
      }),
      // Each has the client hash the password.
      { numRuns: 200 },
    );
  });

  it('of credentials in one step are refused, and never throw', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }),
        fc.uint8Array({ maxLength: 2_000 }),
        async (user, password) => {
          const found = await users.authenticate(peerOfTest('c'), { kind: 'password', user, password });
          expect(isRefusal(found)).toBe(true);
        },
      ),
    );
  });
});
