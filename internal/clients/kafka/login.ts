import { Failure } from '../../lib/failure.ts';
import { saslHandshake } from '../../protocol/kafka/apis/17-sasl-handshake.ts';
import { saslAuthenticate } from '../../protocol/kafka/apis/36-sasl-authenticate.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import type { Api, InputOf, ValueOf } from '../../protocol/kafka/schema.ts';
import type { BrokerAddress, ClientCredentials, ConnectionSettings } from '../socket.ts';
import { ScramClient, type ScramMechanism } from './scram.ts';

type Mechanism = ScramMechanism | 'PLAIN' | 'OAUTHBEARER';

/** Sends a request on the connection that logs in, and gives its answer. */
type Send = <A extends Api>(api: A, body: InputOf<A['request']>) => Promise<ValueOf<A['response']>>;

/** The broker does not serve the mechanism, and closes; another connection may log in by one of these. */
export class UnservedMechanism extends Failure {
  readonly served: readonly string[];

  constructor(mechanism: string, served: readonly string[]) {
    super(`the login failed: the broker does not serve ${mechanism}, but ${served.join(', ') || 'nothing'}`);
    this.served = served;
  }
}

/** How to log in before it is known what the broker serves. */
export function firstMechanism(credentials: ClientCredentials): Mechanism {
  return 'token' in credentials ? 'OAUTHBEARER' : 'SCRAM-SHA-256';
}

/**
 * How to log in where the first way is not served. PLAIN shows the password to the broker, and without TLS to everybody
 * between: a broker on the same machine may ask for that, no other.
 *
 * @throws the error that was met, or Failure.
 */
export function nextMechanism(
  error: UnservedMechanism,
  { credentials, tls }: ConnectionSettings,
  { host }: BrokerAddress,
): Mechanism {
  if (credentials === undefined || 'token' in credentials) throw error;
  if (error.served.includes('SCRAM-SHA-512')) return 'SCRAM-SHA-512';
  if (!error.served.includes('PLAIN')) throw error;
  if (tls !== undefined || /^(localhost|127\.[\d.]+|::1)$/.test(host)) return 'PLAIN';
  throw new Failure(
    'the broker wants the password in clear (PLAIN), and without TLS everybody between would see it',
  );
}

/** Logs in on a new connection. @throws UnservedMechanism; Failure that says what the broker said. */
export async function logIn(send: Send, credentials: ClientCredentials, mechanism: Mechanism): Promise<void> {
  const { errorCode, mechanisms } = await send(saslHandshake, { mechanism });
  if (errorCode === KafkaErrorCode.unsupportedSaslMechanism)
    throw new UnservedMechanism(mechanism, mechanisms);
  if (errorCode !== KafkaErrorCode.none) throw new Failure('the login failed: the broker takes none now');
  const say = (message: Uint8Array) => sayTo(send, message);
  if ('token' in credentials) {
    const answer = await say(Buffer.from(`n,,\x01auth=Bearer ${credentials.token()}\x01\x01`));
    if (answer.length > 0) await say(Uint8Array.of(1));
  } else if (mechanism === 'PLAIN') {
    await say(Buffer.from(`\0${credentials.user}\0${credentials.password()}`));
  } else {
    const scram = new ScramClient(mechanism as ScramMechanism, credentials.user, credentials.password());
    const challenge = await say(scram.first());
    scram.verify(await say(await scram.final(challenge)));
  }
}

async function sayTo(send: Send, authBytes: Uint8Array): Promise<Uint8Array> {
  const answer = await send(saslAuthenticate, { authBytes });
  if (answer.errorCode === KafkaErrorCode.none) return answer.authBytes;
  throw new Failure(`the login failed: ${answer.errorMessage ?? `error ${answer.errorCode}`}`);
}
