import type { Credentials, Refusal, SaslExchange } from '../../authenticator.ts';
import type { Identity } from '../../identity.ts';
import { answerOf, exchangeOf, SaslError, textOf } from './exchange.ts';
import { checkAuthorizationId } from './names.ts';

/** Checks what one message showed. */
export type Check = (credentials: Credentials) => Identity | Refusal | Promise<Identity | Refusal>;

/** PLAIN, RFC 4616: `[authzid] NUL authcid NUL passwd`. */
export function beginPlain(check: Check): SaslExchange {
  return exchangeOf([
    async (message) => {
      const { user, password } = parse(textOf(message));
      return answerOf(await check({ kind: 'password', user, password: Buffer.from(password) }));
    },
  ]);
}

function parse(message: string): { user: string; password: string } {
  const [authorizationId, user, password, ...rest] = message.split('\0');
  if (password === undefined || rest.length > 0) throw new SaslError('it is not three parts split by NUL');
  if (user === '') throw new SaslError('it names no user');
  if (password === '') throw new SaslError('it has no password');
  checkAuthorizationId(authorizationId, user);
  return { user, password };
}
