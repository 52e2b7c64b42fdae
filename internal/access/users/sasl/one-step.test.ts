import { describe, expect, it } from 'vitest';
import { identityOfTest } from '../../../../test/support/access.ts';
import { accepted, challengeOf, reasonOf, say } from '../../../../test/support/sasl.ts';
import type { Credentials } from '../../authenticator.ts';
import { beginOAuthBearer } from './oauthbearer.ts';
import { beginPlain } from './plain.ts';

/** Lets in the user `tim`, whose password and token are `tanstaaftanstaaf`, as in RFC 4616. */
const seen: Credentials[] = [];
function check(credentials: Credentials) {
  seen.push(credentials);
  const shown = shownBy(credentials);
  return shown === 'tanstaaftanstaaf' ? { ...identityOfTest('c'), user: 'tim' } : { reason: 'wrong' };
}

function shownBy(credentials: Credentials): string | undefined {
  if (credentials.kind === 'token') return credentials.token;
  if (credentials.kind === 'password') return Buffer.from(credentials.password ?? []).toString();
  return undefined;
}

describe('PLAIN', () => {
  it.each(['\0tim\0tanstaaftanstaaf', 'tim\0tim\0tanstaaftanstaaf'])('lets in %j', async (message) => {
    const exchange = beginPlain(check);
    expect(accepted(await say(exchange, message))).toEqual({ text: '', user: 'tim' });
    expect(reasonOf(await say(exchange, message))).toContain('is over');
  });

  it.each([
    ['\0tim\0wrong', 'wrong'],
    ['Ursel\0tim\0tanstaaftanstaaf', 'authorization id'],
    ['', 'three parts'],
    ['tim', 'three parts'],
    ['\0tim', 'three parts'],
    ['\0tim\0tanstaaf\0tanstaaf', 'three parts'],
    ['\0\0tanstaaftanstaaf', 'no user'],
    ['\0tim\0', 'no password'],
  ])('refuses %j', async (message, problem) => {
    expect(reasonOf(await say(beginPlain(check), message))).toContain(problem);
  });

  it('refuses what is not UTF-8, and repeats nothing of it', async () => {
    const reason = reasonOf(await beginPlain(check).step(Buffer.from('\0tim\0geheim\xff', 'latin1')));
    expect(reason).toContain('UTF-8');
    expect(reason).not.toContain('geheim');
  });
});

describe('OAUTHBEARER', () => {
  const token = 'auth=Bearer tanstaaftanstaaf';

  it.each([
    `n,,\x01${token}\x01\x01`,
    `y,,\x01${token}\x01\x01`,
    `n,a=tim,\x01${token}\x01\x01`,
    // RFC 7628, section 4.1, and Kafka's extensions (KIP-342).
    `n,a=tim,\x01host=server.example.com\x01port=143\x01${token}\x01\x01`,
    `n,,\x01${token}\x01traceId=123\x01\x01`,
    `n,,\x01auth=bearer tanstaaftanstaaf\x01\x01`,
  ])('lets in %j', async (message) => {
    expect(accepted(await say(beginOAuthBearer(check), message)).user).toBe('tim');
  });

  it.each([
    [`n,,\x01${token}\x01`, '01 01'],
    [`n,,\x01${token}`, '01 01'],
    ['n,,\x01\x01', 'no token'],
    [`n,,\x01${token}\x01${token}\x01\x01`, 'two tokens'],
    [`n,a=other,\x01${token}\x01\x01`, 'authorization id'],
    [`n,b=tim,\x01${token}\x01\x01`, 'names no user'],
    [`p=tls,,\x01${token}\x01\x01`, 'header'],
    [`n\x01${token}\x01\x01`, 'header'],
    [`n,,x\x01${token}\x01\x01`, 'header'],
    [`n,,\x01auth=Basic tanstaaftanstaaf\x01\x01`, 'no Bearer'],
    [`n,,\x01auth=Bearer a b\x01\x01`, 'no Bearer'],
    [`n,,\x01auth\x01\x01`, 'no pair'],
    [`n,,\x01${token}\x01k=\x07\x01\x01`, 'no pair'],
    ['', 'header'],
  ])('refuses %j', async (message, problem) => {
    expect(reasonOf(await say(beginOAuthBearer(check), message))).toContain(problem);
  });

  it('tells in JSON of a token that is refused, and fails when that was answered', async () => {
    const exchange = beginOAuthBearer(check);
    const challenge = challengeOf(await say(exchange, 'n,,\x01auth=Bearer abc\x01\x01'));
    expect(JSON.parse(challenge)).toEqual({ status: 'invalid_token' });
    expect(reasonOf(await say(exchange, '\x01'))).toBe('wrong');
    const impatient = beginOAuthBearer(check);
    challengeOf(await say(impatient, 'n,,\x01auth=Bearer abc\x01\x01'));
    expect(reasonOf(await say(impatient, `n,,\x01${token}\x01\x01`))).toContain('one byte');
  });
});
