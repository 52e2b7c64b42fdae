import { describe, expect, it } from 'vitest';
import { peerOfTest } from '../../../test/support/access.ts';
import { accepted, challengeOf, reasonOf, ScramClient, say } from '../../../test/support/sasl.ts';
import { directoryOf, userOf, userWithout } from '../../../test/support/users.ts';
import { type Credentials, isRefusal, NO_CREDENTIALS, type SaslExchange } from '../authenticator.ts';
import { HashQueue } from './hash-queue.ts';
import { SCRAM_MECHANISMS } from './user.ts';
import { UserAuthenticator } from './user-authenticator.ts';

const peer = peerOfTest('c');

const WRONG = 'the user name, password or token is wrong';

const alice = await userOf('alice', 'wonder land', { groups: ['readers'] });
const disabled = await userOf('gone', 'wonder land', { isEnabled: false });

function authenticator(allowsAnonymous = false, queue?: HashQueue) {
  const directory = directoryOf(alice, disabled, userWithout('by certificate'));
  return { directory, users: new UserAuthenticator({ directory, allowsAnonymous, queue }) };
}

function password(user: string, text: string): Credentials {
  return { kind: 'password', user, password: Buffer.from(text) };
}

async function answer(users: UserAuthenticator, credentials: Credentials) {
  const found = await users.authenticate(peer, credentials);
  return isRefusal(found) ? found.reason : found.user;
}

describe('users', () => {
  it('log in with their password, and have their groups', async () => {
    const { users } = authenticator();
    expect(await users.authenticate(peer, password('alice', 'wonder land'))).toMatchObject({
      ...peer,
      user: 'alice',
      groups: ['readers'],
    });
  });

  it('are refused with the same words, whatever was wrong', async () => {
    const { users } = authenticator();
    const wrong: Credentials[] = [
      password('alice', 'wonderland'),
      password('alice', ''),
      { kind: 'password', user: 'alice', password: undefined },
      password('Alice', 'wonder land'),
      password('gone', 'wonder land'),
      password('by certificate', ''),
      password('nobody', 'wonder land'),
      password('__proto__', 'x'),
      password('alice', 'x'.repeat(100_000)),
      { kind: 'password', user: 'alice', password: Uint8Array.of(0xff, 0x00) },
      { kind: 'token', token: 'x' },
      NO_CREDENTIALS,
    ];
    for (const credentials of wrong) expect(await answer(users, credentials)).toBe(WRONG);
  });

  it('may show nothing only where anonymous clients are allowed', async () => {
    const { users } = authenticator(true);
    expect(await answer(users, NO_CREDENTIALS)).toBeUndefined();
    expect(await answer(users, password('nobody', ''))).toBe(WRONG);
  });

  it('are known by the last change', async () => {
    const { directory, users } = authenticator();
    expect(await answer(users, password('alice', 'wonder land'))).toBe('alice');
    directory.change({ ...alice, isEnabled: false });
    expect(await answer(users, password('alice', 'wonder land'))).toBe(WRONG);
    directory.change(await userOf('alice', 'looking glass'));
    expect(await answer(users, password('alice', 'wonder land'))).toBe(WRONG);
    expect(await answer(users, password('alice', 'looking glass'))).toBe('alice');
  });

  it('are told to try again when too many log in at once', async () => {
    const { users } = authenticator(false, new HashQueue(1, 1));
    const answers = await Promise.all(
      ['a', 'b', 'c', 'd'].map((text) => users.authenticate(peer, password('alice', text))),
    );
    expect(answers.map((each) => (isRefusal(each) ? each.code : 'let in'))).toEqual([
      undefined,
      undefined,
      'too-many-logins',
      'too-many-logins',
    ]);
  });

  it('cost one hash where many clients come with the same password', async () => {
    let hashes = 0;
    class CountingQueue extends HashQueue {
      override run<T>(work: () => Promise<T>): Promise<T> {
        hashes++;
        return super.run(work);
      }
    }
    const { users } = authenticator(false, new CountingQueue(1, 0));
    const logins = () => users.authenticate(peer, password('alice', 'wonder land'));
    const answers = await Promise.all(Array.from({ length: 1_000 }, logins));
    expect(answers.every((each) => !isRefusal(each))).toBe(true);
    await logins();
    expect(hashes).toBe(1);
  });
});

describe('a broker that knows of no users', () => {
  it('lets everybody in, whatever they show, until it has some', async () => {
    const directory = directoryOf();
    directory.current = { ...directory.current, isProtected: false };
    const users = new UserAuthenticator({ directory, allowsAnonymous: false });
    expect(users.mechanisms).toEqual(['PLAIN', 'OAUTHBEARER']);
    for (const credentials of [
      password('alice', 'x'),
      { kind: 'token', token: 'x' },
      NO_CREDENTIALS,
    ] as const)
      expect(await answer(users, credentials)).toBeUndefined();
    directory.change(alice);
    expect(users.mechanisms).toEqual(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']);
    for (const credentials of [
      password('alice', 'x'),
      { kind: 'token', token: 'x' },
      NO_CREDENTIALS,
    ] as const)
      expect(await answer(users, credentials)).toBe(WRONG);
  });
});

describe('exchanges of users', () => {
  function begin(users: UserAuthenticator, mechanism: string): SaslExchange {
    const exchange = users.beginExchange(peer, mechanism);
    if (isRefusal(exchange)) throw new Error(exchange.reason);
    return exchange;
  }

  it('are begun for the mechanisms that are served, and for no other', () => {
    const { users } = authenticator();
    for (const mechanism of users.mechanisms) begin(users, mechanism);
    for (const other of ['', 'GSSAPI', 'SCRAM-SHA-1', 'plain', 'toString']) {
      expect(isRefusal(users.beginExchange(peer, other))).toBe(true);
    }
  });

  it('with PLAIN check the password', async () => {
    const { users } = authenticator();
    expect(accepted(await say(begin(users, 'PLAIN'), '\0alice\0wonder land')).user).toBe('alice');
    expect(reasonOf(await say(begin(users, 'PLAIN'), '\0alice\0wonder')).valueOf()).toBe(WRONG);
  });

  it.each(SCRAM_MECHANISMS)('with %s need no password but its keys', async (mechanism) => {
    const { users } = authenticator();
    const client = new ScramClient(mechanism, 'alice', 'wonder land');
    const exchange = begin(users, mechanism);
    const end = await say(exchange, client.final(challengeOf(await say(exchange, client.first))));
    expect(accepted(end).user).toBe('alice');
    expect(client.accepts(accepted(end).text)).toBe(true);
  });

  it.each(['nobody', 'gone', 'by certificate'])(
    'show the same salt each time for %s, and refuse',
    async (name) => {
      const { users } = authenticator();
      const salts = new Set<string>();
      for (let time = 0; time < 3; time++) {
        const client = new ScramClient('SCRAM-SHA-256', name, 'wonder land');
        const exchange = begin(users, 'SCRAM-SHA-256');
        const serverFirst = challengeOf(await say(exchange, client.first));
        salts.add(serverFirst.slice(serverFirst.indexOf(',s=')));
        expect(reasonOf(await say(exchange, client.final(serverFirst)))).toBe(WRONG);
      }
      expect(salts.size).toBe(1);
      expect([...salts][0]).toMatch(/^,s=[A-Za-z0-9+/]{22}==,i=16384$/);
    },
  );

  it('fail where the user was disabled or changed meanwhile', async () => {
    for (const changed of [{ ...alice, isEnabled: false }, await userOf('alice', 'other')]) {
      const { directory, users } = authenticator();
      const client = new ScramClient('SCRAM-SHA-256', 'alice', 'wonder land');
      const exchange = begin(users, 'SCRAM-SHA-256');
      const final = client.final(challengeOf(await say(exchange, client.first)));
      directory.change(changed);
      expect(reasonOf(await say(exchange, final))).toBe(WRONG);
    }
  });
});
