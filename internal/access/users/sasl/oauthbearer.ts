import { isRefusal, type Refusal, type SaslExchange } from '../../authenticator.ts';
import { answerOf, exchangeOf, SaslError, textOf } from './exchange.ts';
import { checkAuthorizationId, nameOf } from './names.ts';
import type { Check } from './plain.ts';

/** What a client answers to an error, so that the server may end the exchange (RFC 7628, section 3.2.3). */
const ACKNOWLEDGED_ERROR = '\x01';

/**
 * OAUTHBEARER, RFC 7628, as Kafka speaks it (KIP-255): one message with a token. Where that is refused, the client is told
 * in JSON, answers with one byte, and then the exchange fails.
 */
export function beginOAuthBearer(check: Check): SaslExchange {
  let refusal: Refusal;
  return exchangeOf([
    async (message) => {
      const { token, authorizationId } = parse(textOf(message));
      const found = await check({ kind: 'token', token });
      if (!isRefusal(found)) {
        checkAuthorizationId(authorizationId, found.user ?? '');
        return answerOf(found);
      }
      if (found.code !== undefined && found.code !== 'bad-credentials') return found;
      refusal = found;
      return { kind: 'challenge', bytes: Buffer.from(JSON.stringify({ status: 'invalid_token' })) };
    },
    (message) => {
      if (textOf(message) !== ACKNOWLEDGED_ERROR)
        throw new SaslError('an error is answered with one byte, 01');
      return refusal;
    },
  ]);
}

/** `n,[a=authzid],` 01 `auth=Bearer token` 01, then `key=value` 01 for each extension, 01. */
function parse(message: string): { token: string; authorizationId: string } {
  const [header, ...pairs] = message.split('\x01');
  const [binding, authorization, rest] = header.split(',');
  if ((binding !== 'n' && binding !== 'y') || rest !== '')
    throw new SaslError('its header is not n,, or y,,');
  if (authorization !== '' && !authorization.startsWith('a='))
    throw new SaslError('its header names no user');
  // Two separators end the message, so that two empty strings come last.
  if (pairs.pop() !== '' || pairs.pop() !== '') throw new SaslError('it does not end with 01 01');
  let token: string | undefined;
  for (const pair of pairs) {
    const [name, value] = pairOf(pair);
    if (name !== 'auth') continue;
    if (token !== undefined) throw new SaslError('it has two tokens');
    token = tokenOf(value);
  }
  if (token === undefined) throw new SaslError('it has no token');
  return { token, authorizationId: nameOf(authorization.slice(2)) };
}

/** RFC 7628, section 3.1: a name is letters, a value printable text. */
function pairOf(pair: string): [name: string, value: string] {
  const match = /^([A-Za-z]+)=([\x20-\x7e\t\r\n]*)$/.exec(pair);
  if (match === null) throw new SaslError('it has something that is no pair of name and value');
  return [match[1], match[2]];
}

/** RFC 6750, section 2.1. */
function tokenOf(value: string): string {
  const match = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(value);
  if (match === null) throw new SaslError('its auth is no Bearer and a token');
  return match[1];
}
