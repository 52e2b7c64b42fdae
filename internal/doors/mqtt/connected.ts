import type { Access } from '../../access/access.ts';
import type { Client, ClientHost } from '../../broker/client.ts';
import type { Session } from '../../broker/sessions/session.ts';
import type { BrokerError } from '../../errors.ts';
import type { Version } from '../../protocol/mqtt/packet.ts';
import type { ClientServices } from '../clients/client-door.ts';
import type { Intake } from '../clients/intake.ts';
import { checkMayKeep, openSession } from '../clients/kept-session.ts';
import { Run } from '../clients/run.ts';
import type { EnhancedAuthentication } from './enhanced-authentication.ts';
import { Inbox } from './incoming/inbox.ts';
import type { Admitted } from './incoming/newcomer.ts';
import { Publishes } from './incoming/publishes.ts';
import type { Agreement, Offer } from './negotiate.ts';
import { Answers } from './outgoing/answers.ts';
import { encodingsOf } from './outgoing/encoding.ts';
import { MqttOutlet } from './outgoing/outlet.ts';
import { Subscriber } from './subscriptions/subscriber.ts';

/** The services of the broker for a connection. */
export interface ConnectionServices extends ClientServices {
  offer: Offer;
}

/** The parts of a client between CONNECT and the end of its connection. */
export interface MqttClient {
  client: Client;
  session: Session;
  agreement: Agreement;
  version: Version;
  answers: Answers;
  outlet: MqttOutlet;
  inbox: Inbox;
  publishes: Publishes;
  subscriber: Subscriber;
  /** There where the client named an authentication method. */
  authentication: EnhancedAuthentication | undefined;
}

/** The connection of a client that is let in. */
export interface MqttClientHost extends ClientHost {
  readonly intake: Intake;
}

export interface OpenedClient {
  connected: MqttClient;
  /** What it publishes goes through this. */
  run: Run;
  /** Whether it had its session before. */
  isPresent: boolean;
}

/**
 * Puts together what serves a client that was admitted, with its session.
 *
 * @throws BrokerError where it may not be let in.
 */
export function openMqttClient(
  services: ConnectionServices,
  admitted: Admitted,
  host: MqttClientHost,
): OpenedClient {
  const { access, connect, agreement } = admitted;
  const { broker } = services;
  const wanted = { isClean: connect.cleanStart, expiryMs: agreement.sessionExpiryMs };
  checkMayKeep(services, access, wanted);
  boundInflight(access, agreement);
  if (agreement.will !== undefined) access.check('publish', 'topic', agreement.will.message.topic);
  const { plain, acknowledged } = encodingsOf(connect.version, broker.clock);
  const client = broker.connect({ access, encoding: plain, host });
  const opened = openSession(services, client, wanted);
  const run = new Run(broker, host.intake, plain, client.origin, acknowledged.encoding);
  const connected = createMqttClient(services, admitted, { client, session: opened.session, run, host });
  return { connected, run, isPresent: opened.isPresent };
}

interface CreatedParts {
  client: Client;
  session: Session;
  run: Run;
  host: MqttClientHost;
}

function createMqttClient(
  services: ConnectionServices,
  { connect, agreement, authentication }: Admitted,
  { client, session, run, host }: CreatedParts,
): MqttClient {
  const { broker, fates, maxMessageBytes } = services;
  const { version, isBridge = false } = connect;
  const { intake } = host;
  const { access, channel, origin } = client;
  const refuse = (reason: BrokerError) => host.refuse(reason);
  const answers = new Answers(channel, version, agreement);
  const outlet = new MqttOutlet(channel, version, agreement, broker.clock);
  const inbox = new Inbox({
    ...{ broker, fates, access, origin, session, answers, channel, version, intake, run, refuse },
  });
  const publishes = new Publishes({ run, inbox, intake, channel, version, maxMessageBytes });
  const subscriber = new Subscriber({
    services,
    client,
    session,
    outlet,
    answers,
    version,
    isBridge,
    refuse,
  });
  // Written out, because an object that is put together from others takes more memory, and there are many clients.
  return {
    client,
    session,
    agreement,
    version,
    answers,
    outlet,
    inbox,
    publishes,
    subscriber,
    authentication,
  };
}

/** Messages on their way to a client, and from one that may be told. */
function boundInflight(access: Access, agreement: Agreement): void {
  agreement.receiveMaximum = access.most('inflight', agreement.receiveMaximum);
  const { receiveMaximum } = agreement.connack;
  if (receiveMaximum !== undefined)
    agreement.connack.receiveMaximum = access.most('inflight', receiveMaximum);
}
