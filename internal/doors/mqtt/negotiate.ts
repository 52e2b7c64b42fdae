import { randomUUID } from 'node:crypto';
import { checkPublishable } from '../../broker/routing/publishable-topic.ts';
import type { Will } from '../../broker/sessions/will.ts';
import { BrokerError } from '../../errors.ts';
import { mqttOldClientWindow, mqttReceiveMaximum, mqttTopicAliases } from '../../limits/mqtt.ts';
import { encodePacket } from '../../protocol/mqtt/encode.ts';
import { type Connect, PacketType } from '../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES, type Properties } from '../../protocol/mqtt/properties.ts';
import { messageProperties } from './incoming/messages.ts';

/** The agreement of the broker and a client. */
export interface Agreement {
  clientId: string;
  /** How long the session outlasts the connection; undefined where the client cannot say. */
  sessionExpiryMs: number | undefined;
  /** How long the client may say nothing; 0: for ever. */
  keepAliveMs: number;
  /** Unacknowledged messages that the client takes. */
  receiveMaximum: number;
  /** The largest packet that the client takes. */
  maximumPacketSizeBytes: number;
  /** Topic aliases that the client understands. */
  topicAliasMaximum: number;
  /** Whether the client wants to read what was wrong. */
  wantsReasons: boolean;
  will: Will | undefined;
  /** The properties of CONNACK. */
  connack: Properties;
}

/** The broker's offer to every client. */
export interface Offer {
  maxPacketBytes: number;
  /** The longest keep-alive that clients of version 5 may have; 0: any. */
  keepAliveMs: number;
}

/** The Session Expiry Interval that stands for ever (MQTT 5, section 3.1.2.11.2). */
const NEVER_S = 0xffff_ffff;
/** The largest packet that there is. */
const ANY_PACKET_BYTES = 0xffff_ffff;

/**
 * What comes of a CONNECT.
 *
 * @throws BrokerError `packet-too-large`, `invalid-client-id`, `invalid-topic`, `reserved-topic`.
 */
export function negotiate(connect: Connect, offer: Offer): Agreement {
  const { version, properties, cleanStart } = connect;
  const connack: Properties = {};
  const clientId = clientIdOf(connect, connack);
  const will = willOf(connect, clientId);
  let keepAliveS = connect.keepAliveS;
  if (version !== 5) {
    return {
      clientId,
      sessionExpiryMs: cleanStart ? 0 : undefined,
      keepAliveMs: keepAliveS * 1000,
      receiveMaximum: mqttOldClientWindow,
      maximumPacketSizeBytes: ANY_PACKET_BYTES,
      topicAliasMaximum: 0,
      wantsReasons: false,
      will,
      connack: NO_PROPERTIES,
    };
  }
  const offeredS = Math.min(Math.ceil(offer.keepAliveMs / 1000), 0xffff);
  if (offeredS > 0 && (keepAliveS === 0 || keepAliveS > offeredS)) {
    // [MQTT-3.1.2-21]
    keepAliveS = offeredS;
    connack.serverKeepAliveS = offeredS;
  }
  connack.receiveMaximum = mqttReceiveMaximum;
  connack.maximumPacketSizeBytes = offer.maxPacketBytes;
  connack.topicAliasMaximum = mqttTopicAliases;
  const limits = limitsOf(properties);
  checkFits(connack, limits.maximumPacketSizeBytes);
  return {
    clientId,
    sessionExpiryMs: secondsToMs(properties.sessionExpiryIntervalS ?? 0),
    keepAliveMs: keepAliveS * 1000,
    receiveMaximum: properties.receiveMaximum ?? 0xffff,
    topicAliasMaximum: properties.topicAliasMaximum ?? 0,
    ...limits,
    will,
    connack,
  };
}

/** What a client of version 5 wants packets to be like, the one that refuses it too. */
export function limitsOf(properties: Properties): Pick<Agreement, 'maximumPacketSizeBytes' | 'wantsReasons'> {
  return {
    maximumPacketSizeBytes: properties.maximumPacketSizeBytes ?? ANY_PACKET_BYTES,
    // [MQTT-3.1.2-29]
    wantsReasons: properties.requestProblemInformation !== 0,
  };
}

/** [MQTT-3.1.2-24] a client that takes no CONNACK that says all it has to is not let in. */
export function checkFits(properties: Properties, maximumPacketSizeBytes: number): void {
  const connack = { type: PacketType.connack, sessionPresent: false, reasonCode: 0, properties } as const;
  const { length } = encodePacket(connack, 5);
  if (length <= maximumPacketSizeBytes) return;
  throw new BrokerError(
    'packet-too-large',
    `CONNACK has ${length} bytes; at most ${maximumPacketSizeBytes} are taken`,
  );
}

/** A Session Expiry Interval in milliseconds. */
export function secondsToMs(seconds: number): number {
  return seconds === NEVER_S ? Number.POSITIVE_INFINITY : seconds * 1000;
}

function clientIdOf({ version, clientId, cleanStart }: Connect, connack: Properties): string {
  if (clientId !== '') return clientId;
  if (version === 3) throw new BrokerError('invalid-client-id', 'the client id is empty');
  // [MQTT-3.1.3-8] of version 3.1.1: nobody could ever come back to such a session.
  if (version === 4 && !cleanStart) {
    throw new BrokerError('invalid-client-id', 'the client id is empty, and the session is to be kept');
  }
  const assigned = `tinymq-${randomUUID()}`;
  // [MQTT-3.2.2-16]
  if (version === 5) connack.assignedClientIdentifier = assigned;
  return assigned;
}

function willOf({ will, version }: Connect, clientId: string): Will | undefined {
  if (will === undefined) return undefined;
  const { topic, payload, qos, retain, properties } = will;
  checkPublishable(topic, 'will topic');
  const expiryS = properties.messageExpiryIntervalS;
  return {
    message: {
      topic,
      payload: Buffer.from(payload),
      clientId,
      qos,
      retain,
      properties: version === 5 ? messageProperties(properties) : undefined,
    },
    delayMs: (properties.willDelayIntervalS ?? 0) * 1000,
    expiryMs: expiryS === undefined ? undefined : expiryS * 1000,
  };
}
