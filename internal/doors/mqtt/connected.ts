import type { Client } from '../../broker/client.ts';
import type { Session } from '../../broker/sessions/session.ts';
import type { BrokerError } from '../../errors.ts';
import type { Version } from '../../protocol/mqtt/packet.ts';
import type { ClientServices } from '../clients/client-door.ts';
import type { Intake } from '../clients/intake.ts';
import { Replays } from '../clients/replays.ts';
import type { Run } from '../clients/run.ts';
import type { EnhancedAuthentication } from './enhanced-authentication.ts';
import { Inbox } from './incoming/inbox.ts';
import { Publishes } from './incoming/publishes.ts';
import type { Agreement, Offer } from './negotiate.ts';
import { Answers } from './outgoing/answers.ts';
import { MqttOutlet } from './outgoing/outlet.ts';
import { MqttReplayOutlet } from './subscriptions/replay-outlet.ts';
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
  replays: Replays;
  /** There where the client named an authentication method. */
  authentication: EnhancedAuthentication | undefined;
}

export interface MqttClientParts extends ConnectionServices {
  client: Client;
  session: Session;
  agreement: Agreement;
  version: Version;
  /** Whether it is another broker's bridge. */
  isBridge: boolean;
  intake: Intake;
  run: Run;
  authentication: EnhancedAuthentication | undefined;
  refuse(reason: BrokerError): void;
}

/** Puts together what serves a client that was let in. */
export function createMqttClient(parts: MqttClientParts): MqttClient {
  const { broker, logs, metrics, fates, logger, client, session, agreement, version, refuse } = parts;
  const { isBridge, intake, run, maxMessageBytes } = parts;
  const { access, channel } = client;
  const answers = new Answers(channel, version, agreement);
  const outlet = new MqttOutlet(channel, version, agreement, broker.clock);
  const replays = new Replays({
    ...{ logs, metrics, logger, client },
    outlet: new MqttReplayOutlet(session, outlet, version),
    failed: (_filter, reason) => client.disconnect(reason),
  });
  const inbox = new Inbox({
    broker,
    fates,
    access,
    origin: client.origin,
    session,
    answers,
    version,
    intake,
    run,
    refuse,
  });
  const publishes = new Publishes({ run, inbox, intake, channel, version, maxMessageBytes });
  const subscriber = new Subscriber({
    broker,
    fates,
    logger,
    access,
    session,
    outlet,
    answers,
    replays,
    version,
    isBridge,
    refuse,
  });
  const { authentication } = parts;
  return {
    ...{ client, session, agreement, version, authentication },
    ...{ answers, outlet, inbox, publishes, subscriber, replays },
  };
}
