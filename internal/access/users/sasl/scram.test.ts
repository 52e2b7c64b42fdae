import { describe, expect, it } from 'vitest';
import { identityOfTest } from '../../../../test/support/access.ts';
import { accepted, challengeOf, reasonOf, ScramClient, say } from '../../../../test/support/sasl.ts';
import type { SaslExchange } from '../../authenticator.ts';
import { makeScramKeys } from '../scram-keys.ts';
import { SCRAM_MECHANISMS, type ScramKeys, type ScramMechanism } from '../user.ts';
import { beginScram, type ScramUsers } from './scram.ts';

/** The conversation of RFC 7677, section 3: the user is `user`, the password `pencil`. */
const RFC_7677 = {
  salt: Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'),
  clientFirst: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  clientFinal:
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
};

const keys: Record<ScramMechanism, ScramKeys> = {
  'SCRAM-SHA-256': await makeScramKeys('SCRAM-SHA-256', Buffer.from('pencil'), RFC_7677.salt, 4_096),
  'SCRAM-SHA-512': await makeScramKeys('SCRAM-SHA-512', Buffer.from('pencil'), RFC_7677.salt, 4_096),
};

const users: ScramUsers = {
  keysOf: (mechanism) => keys[mechanism],
  letIn: (_, user) => ({ ...identityOfTest('c'), user }),
  refuse: () => ({ reason: 'wrong' }),
};

function begin(nonce?: string): SaslExchange {
  return beginScram('SCRAM-SHA-256', users, nonce === undefined ? undefined : () => nonce);
}

describe('SCRAM', () => {
  it('speaks the conversation of RFC 7677', async () => {
    const exchange = begin(RFC_7677.serverNonce);
    expect(challengeOf(await say(exchange, RFC_7677.clientFirst))).toBe(RFC_7677.serverFirst);
    expect(accepted(await say(exchange, RFC_7677.clientFinal))).toEqual({
      text: RFC_7677.serverFinal,
      user: 'user',
    });
  });

  it.each(SCRAM_MECHANISMS)(
    'lets in who has the password, and proves that it has the keys: %s',
    async (mechanism) => {
      for (const header of ['n,,', 'y,,', 'n,a=o=3Do=2Co,']) {
        const exchange = beginScram(mechanism, users);
        const client = new ScramClient(mechanism, 'o=o,o', 'pencil', { header });
        const serverFirst = challengeOf(await say(exchange, client.first));
        const end = accepted(await say(exchange, client.final(serverFirst)));
        expect(end.user).toBe('o=o,o');
        expect(client.accepts(end.text)).toBe(true);
      }
    },
  );

  it.each(SCRAM_MECHANISMS)('refuses another password: %s', async (mechanism) => {
    const exchange = beginScram(mechanism, users);
    const client = new ScramClient(mechanism, 'user', 'Pencil');
    const final = client.final(challengeOf(await say(exchange, client.first)));
    expect(reasonOf(await say(exchange, final))).toBe('wrong');
  });

  // kcat of Debian 12 could not log in: librdkafka before 2.6.1 says its own nonce twice, and signs that.
  it('lets in a client that repeats its own nonce before the whole one, and no other', async () => {
    const exchange = begin();
    const client = new ScramClient('SCRAM-SHA-256', 'user', 'pencil', { repeatsItsNonce: true });
    const end = accepted(await say(exchange, client.final(challengeOf(await say(exchange, client.first)))));
    expect(client.accepts(end.text)).toBe(true);
    const other = begin();
    const serverFirst = challengeOf(await say(other, client.first));
    const replayed = client.final(serverFirst.replace(/^r=/, 'r=x'));
    expect(reasonOf(await say(other, replayed))).toContain('nonce');
  });

  it('refuses what was said in another exchange', async () => {
    const client = new ScramClient('SCRAM-SHA-256', 'user', 'pencil');
    const recorded = begin();
    const final = client.final(challengeOf(await say(recorded, client.first)));
    accepted(await say(recorded, final));
    const replayed = begin();
    challengeOf(await say(replayed, client.first));
    expect(reasonOf(await say(replayed, final))).toContain('nonce');
  });

  it('refuses a nonce that is the one of this exchange in part', async () => {
    const splices: ((nonce: string, client: string) => string)[] = [
      (nonce) => nonce.slice(0, -1),
      (nonce) => `${nonce}A`,
      (_, client) => client,
      (nonce, client) => nonce.slice(client.length),
      (nonce, client) => nonce.slice(client.length) + client,
      (nonce) => nonce.toUpperCase(),
      () => '',
    ];
    for (const splice of splices) {
      const exchange = begin();
      challengeOf(await say(exchange, 'n,,n=user,r=client'));
      const nonce = splice(`client${'x'.repeat(32)}`, 'client');
      expect(reasonOf(await say(exchange, `c=biws,r=${nonce},p=${'A'.repeat(43)}=`))).toContain('nonce');
    }
  });

  it('gives each exchange a nonce of its own', async () => {
    const nonces = new Set<string>();
    for (let time = 0; time < 100; time++) nonces.add(challengeOf(await say(begin(), 'n,,n=u,r=c')));
    expect(nonces.size).toBe(100);
  });

  it.each([
    ['p=tls-unique,,n=user,r=c', 'channel binding'],
    ['x,,n=user,r=c', 'binds the channel'],
    ['n,a=other,n=user,r=c', 'authorization id'],
    ['n,b=user,n=user,r=c', 'a= is expected'],
    ['n,,m=new,n=user,r=c', 'n= is expected'],
    ['n,,n=user,r=c,m=new', 'mandatory extension'],
    ['n,,n=user,r=c,x', 'no name and value'],
    ['n,,n=us=er,r=c', '=2C and =3D'],
    ['n,,n=us=2c,r=c', '=2C and =3D'],
    ['n,,n=,r=c', 'user name is empty'],
    ['n,,n=\u0007,r=c', 'forbidden characters'],
    ['n,,n=user,r=', 'nonce'],
    ['n,,n=user,r=a b', 'nonce'],
    [`n,,n=user,r=${'c'.repeat(257)}`, 'nonce'],
    ['n,,r=c,n=user', 'n= is expected'],
    ['n,,n=user', 'fewer than four parts'],
    ['', 'fewer than four parts'],
  ])('refuses to begin with %j', async (message, problem) => {
    const exchange = begin();
    expect(reasonOf(await say(exchange, message))).toContain(problem);
    expect(reasonOf(await say(exchange, 'n,,n=user,r=c'))).toContain('is over');
  });

  it.each([
    ['c=eSws,r=cs,p=AAAA', 'another header'],
    ['c=biws,r=cs', 'no proof'],
    ['c=biws,r=cs,p=AAAA', 'not 32 bytes'],
    ['c=biws,r=cs,p=%%%', 'base64'],
    [`c=biws,r=cs,m=new,p=${'A'.repeat(43)}=`, 'mandatory'],
    [`r=cs,c=biws,p=${'A'.repeat(43)}=`, 'c= is expected'],
    [`c=biws,r=cs,p=${'A'.repeat(43)}=,x=1`, 'base64'],
  ])('refuses to end with %j', async (message, problem) => {
    const exchange = begin('s');
    challengeOf(await say(exchange, 'n,,n=user,r=c'));
    expect(reasonOf(await say(exchange, message))).toContain(problem);
  });

  it('ends where a client does not wait for the answer, and where it sends too much', async () => {
    const exchange = begin();
    const [first, second] = await Promise.all([say(exchange, 'n,,n=u,r=c'), say(exchange, 'c=biws')]);
    challengeOf(first);
    expect(reasonOf(second)).toContain('is over');
    expect(reasonOf(await say(exchange, 'c=biws'))).toContain('is over');
    expect(reasonOf(await say(begin(), 'n'.repeat(100_000)))).toContain('longer than');
    expect(reasonOf(await begin().step(Uint8Array.of(0xff, 0xfe)))).toContain('UTF-8');
  });
});
