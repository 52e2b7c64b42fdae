import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import type { Access } from '../../access/access.ts';
import { type Credentials, NO_CREDENTIALS } from '../../access/authenticator.ts';
import { BrokerError } from '../../errors.ts';
import { certificateOf, remoteOf } from '../../transport/connection.ts';
import { type Admission, peerOf } from '../clients/admission.ts';

/** The client id of requests that name none. */
const NAMELESS = 'http';

/**
 * What whoever sent a request may do. Each request says who sends it, so each is admitted.
 *
 * @throws BrokerError `bad-credentials`, `not-authorized`, `malformed-http-request`.
 */
export async function accessOf(
  { raw, headers }: Pick<FastifyRequest, 'raw' | 'headers'>,
  admission: Admission,
  listener: string,
  clientId = NAMELESS,
): Promise<Access> {
  return admission.admit(
    peerOf(senderOf(raw.socket, listener), 'http', clientId),
    credentialsOf(headers.authorization),
  );
}

/** What the sockets of the door are known by: a certificate is read once for all requests of a connection. */
const certificates = new WeakMap<Socket, ReturnType<typeof certificateOf>>();

function senderOf(socket: Socket, listener: string): Parameters<typeof peerOf>[0] {
  let certificate = certificates.get(socket);
  if (certificate === undefined) {
    certificate = certificateOf(socket);
    certificates.set(socket, certificate);
  }
  return { listener, remote: remoteOf(socket), certificate };
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
