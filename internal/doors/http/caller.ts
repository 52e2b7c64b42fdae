import type { FastifyRequest } from 'fastify';
import type { Access } from '../../access/access.ts';
import { type Credentials, NO_CREDENTIALS } from '../../access/authenticator.ts';
import { BrokerError } from '../../errors.ts';
import { type Admission, peerOf } from '../clients/admission.ts';
import type { BrowserGuard } from './browser-guard.ts';
import type { HttpSocket } from './http-socket.ts';
import { loginValueOf } from './login-cookie.ts';
import type { Logins } from './logins.ts';

/** The client id of requests that name none. */
const NAMELESS = 'http';

/** What a request is looked at with. */
export interface CallerParts {
  readonly admission: Admission;
  readonly guard: BrowserGuard;
  readonly logins: Logins;
}

/**
 * What whoever sent a request may do. Each request says who sends it, by credentials or by a login, so each is admitted, and
 * held to the limits of its client.
 *
 * @throws BrokerError `bad-credentials`, `credentials-expired`, `foreign-origin`, `not-authorized`, `malformed-http-request`,
 *   `rate-exceeded`, `too-many-connections`.
 */
export async function accessOf(
  request: FastifyRequest,
  parts: CallerParts,
  socket: HttpSocket,
  { clientId = NAMELESS, messages = 0 }: Asking = {},
): Promise<Access> {
  const { headers, raw } = request;
  socket.claimedId = clientId;
  const login = headers.authorization === undefined ? loginValueOf(request) : undefined;
  const access =
    login === undefined
      ? await parts.admission.admit(
          peerOf(socket, socket.door, clientId),
          credentialsOf(headers.authorization),
          false,
        )
      : accessOfLogin(login, request, parts, { clientId, listener: socket.listener, remote: socket.remote });
  socket.identity = access.identity;
  await socket.limits.take(access, raw, messages);
  return access;
}

function accessOfLogin(
  value: string,
  request: FastifyRequest,
  { guard, logins }: CallerParts,
  from: Parameters<Logins['accessOf']>[1],
): Access {
  guard.checkOwnPage(request);
  return logins.accessOf(value, from);
}

/** What is known of a request beside who sends it. */
export interface Asking {
  /** How its client calls itself, where it does. */
  readonly clientId?: string | undefined;
  /** Messages that it publishes. Default: 0. */
  readonly messages?: number;
}

/** RFC 9110, section 11.4; RFC 7617; RFC 6750. */
function credentialsOf(authorization: string | undefined): Credentials {
  if (authorization === undefined) return NO_CREDENTIALS;
  const [, scheme, value] = /^(\S+) +(\S+) *$/.exec(authorization) ?? [];
  if (scheme?.toLowerCase() === 'bearer') return { kind: 'token', token: value };
  if (scheme?.toLowerCase() === 'basic') return basicCredentials(value);
  throw new BrokerError('malformed-http-request', 'Authorization is Basic or Bearer');
}

function basicCredentials(value: string): Credentials {
  const bytes = Buffer.from(value, 'base64');
  const colon = bytes.indexOf(':');
  if (colon < 0) throw new BrokerError('malformed-http-request', 'Basic credentials have no colon');
  return {
    kind: 'password',
    user: bytes.toString('utf8', 0, colon),
    password: new Uint8Array(bytes.subarray(colon + 1)),
  };
}
