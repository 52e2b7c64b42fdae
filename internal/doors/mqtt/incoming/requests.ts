import type { Outbox } from '../../../broker/sessions/outbox.ts';
import type { Outgoing } from '../../../broker/sessions/outgoing.ts';
import { BrokerError } from '../../../errors.ts';
import type { PacketCursor } from '../../../protocol/mqtt/cursor.ts';
import { decodePacket } from '../../../protocol/mqtt/decode.ts';
import {
  type Auth,
  type Disconnect,
  PACKET_ID_BYTES,
  PACKET_NAMES,
  type Packet,
  PacketType,
  PUBACK_BYTES,
  type PublishAnswer,
} from '../../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../../protocol/mqtt/properties.ts';
import { FIRST_FAILURE, ReasonCode } from '../../../protocol/mqtt/reason-codes.ts';
import { countAcknowledged } from '../../../protocol/mqtt/repeats.ts';
import type { MqttClient } from '../connected.ts';

const PINGRESP = Uint8Array.of(PacketType.pingresp << 4, 0);

/** The actions of a connection that a request may cause. */
export interface RequestHost {
  /** Has what waits in the session sent. */
  sendMore(): void;
  disconnect(connected: MqttClient, packet: Disconnect): void;
  /** Takes a step by which the client proves anew who it is. */
  authenticateAgain(connected: MqttClient, packet: Auth): void;
}

/** Packets that only a server sends, or that a client sends only once. */
const NEVER_FROM_CLIENTS: ReadonlySet<number> = new Set([
  PacketType.connect,
  PacketType.connack,
  PacketType.suback,
  PacketType.unsuback,
  PacketType.pingresp,
]);

/**
 * Takes the PUBACK at `at`, which is there as a whole, and those behind it, of messages that the client got in runs, where they come
 * in their order. Returns where the last of them ends; `at` where the first is about another message, or says more.
 */
export function takeAcknowledgedRun(
  { session }: MqttClient,
  view: DataView,
  at: number,
  limit: number,
  connection: RequestHost,
): number {
  const { outbox } = session;
  if (!outbox.hasRuns) return at;
  const first = view.getUint16(at + PUBACK_BYTES - PACKET_ID_BYTES);
  const count = countAcknowledged(view, at, limit, first);
  let taken = 0;
  while (taken < count) {
    const ofRun = outbox.acknowledgeNext(first + taken, count - taken);
    if (ofRun === 0) break;
    taken += ofRun;
  }
  if (taken > 0) connection.sendMore();
  return at + taken * PUBACK_BYTES;
}

/**
 * Does what a client that is connected asks for with any packet but PUBLISH.
 *
 * @param cursor points at the packet in `bytes`.
 * @throws MqttError, BrokerError where the connection has to end.
 */
export function answerRequest(
  connected: MqttClient,
  bytes: Uint8Array,
  cursor: PacketCursor,
  connection: RequestHost,
): void {
  if (cursor.type === PacketType.puback && cursor.end - cursor.bodyStart === 2) {
    const packetId = (bytes[cursor.bodyStart]! << 8) | bytes[cursor.bodyStart + 1]!;
    // One with 0 is refused below.
    if (packetId > 0) {
      takeAcknowledged(connected, cursor.type, packetId, connection);
      return;
    }
  }
  // [MQTT-3.1.0-2] whatever else it says.
  if (NEVER_FROM_CLIENTS.has(cursor.type)) throw unexpected(cursor.type);
  answerPacket(connected, decodePacket(bytes, cursor, connected.version), connection);
}

function answerPacket(connected: MqttClient, packet: Packet, connection: RequestHost): void {
  const { session, answers } = connected;
  switch (packet.type) {
    case PacketType.puback:
      takeAcknowledged(connected, packet.type, packet.packetId, connection);
      return;
    case PacketType.pubrec:
      takeReceived(connected, packet, connection);
      return;
    case PacketType.pubrel:
      connected.inbox.release(packet.packetId);
      return;
    case PacketType.pubcomp:
      if (openMessage(session.outbox, packet.type, packet.packetId, IS_TO_BE_COMPLETED) === undefined) return;
      session.outbox.done(packet.packetId);
      connection.sendMore();
      return;
    case PacketType.subscribe:
      connected.subscriber.subscribe(packet);
      return;
    case PacketType.unsubscribe:
      connected.subscriber.unsubscribe(packet);
      return;
    case PacketType.pingreq:
      answers.now(PINGRESP);
      return;
    case PacketType.disconnect:
      connection.disconnect(connected, packet);
      return;
    case PacketType.auth:
      connection.authenticateAgain(connected, packet);
      return;
    default:
      throw unexpected(packet.type);
  }
}

/** Takes PUBACK, the one packet that may come as often as messages do. */
function takeAcknowledged(
  { session }: MqttClient,
  type: typeof PacketType.puback,
  packetId: number,
  connection: RequestHost,
): void {
  if (openMessage(session.outbox, type, packetId, IS_TO_BE_ACKNOWLEDGED) === undefined) return;
  session.outbox.done(packetId);
  connection.sendMore();
}

/** Takes PUBREC, which may come again. One with a failure says that the client does not want the message [MQTT-4.4.0-2]. */
function takeReceived(
  { session, answers }: MqttClient,
  packet: PublishAnswer,
  connection: RequestHost,
): void {
  const { packetId, reasonCode } = packet;
  const outgoing = openMessage(session.outbox, packet.type, packetId, IS_TO_BE_RECEIVED);
  if (outgoing !== undefined && reasonCode >= FIRST_FAILURE) {
    session.outbox.done(packetId);
    connection.sendMore();
  } else if (outgoing !== undefined) {
    session.outbox.received(packetId);
  } else if (reasonCode < FIRST_FAILURE) {
    answers.now(
      answers.encode({
        type: PacketType.pubrel,
        packetId,
        reasonCode: ReasonCode.packetIdNotFound,
        properties: NO_PROPERTIES,
      }),
    );
  }
}

const IS_TO_BE_ACKNOWLEDGED: StepCheck = ({ qos }) => qos === 1;
const IS_TO_BE_RECEIVED: StepCheck = ({ qos }) => qos === 2;
const IS_TO_BE_COMPLETED: StepCheck = ({ step }) => step === 'received';

/** Whether a message is at the step that an acknowledgement is about. */
type StepCheck = (outgoing: Readonly<Outgoing>) => boolean;

/**
 * The message that an acknowledgement is about, if it is still open. It is acknowledged as its QoS asks, one step after the
 * other [MQTT-4.3.2-5] [MQTT-4.3.3-8] [MQTT-4.3.3-11].
 *
 * @throws BrokerError where that is not the step that the message is at.
 */
function openMessage(
  outbox: Outbox,
  type: PublishAnswer['type'],
  packetId: number,
  isExpected: StepCheck,
): Readonly<Outgoing> | undefined {
  const outgoing = outbox.find(packetId);
  if (outgoing === undefined || isExpected(outgoing)) return outgoing;
  throw new BrokerError(
    'protocol-error',
    `${PACKET_NAMES[type]} ${packetId} is not what its message waits for`,
  );
}

/** A second CONNECT, or what only a server sends. */
function unexpected(type: number): BrokerError {
  return new BrokerError('protocol-error', `${PACKET_NAMES[type]} does not come from a connected client`);
}
