import { BrokerError } from '../errors.ts';
import type { Fates } from '../observe/fates.ts';
import { mqttLevelOf, type Protocol } from '../protocol/first-bytes.ts';
import { encodeFrame, FrameType } from '../protocol/frame/frame.ts';
import { encodeGoAway, encodeSettings } from '../protocol/http2/frame.ts';
import { Http2Code } from '../protocol/http2/http2-error.ts';
import { encodePacket } from '../protocol/mqtt/encode.ts';
import { PacketType } from '../protocol/mqtt/packet.ts';
import { ConnackReturnCode, ReasonCode } from '../protocol/mqtt/reason-codes.ts';
import type { Connection } from '../transport/connection.ts';
import { OpenAddresses } from './open-addresses.ts';

/** A door's answer to clients of another protocol. */
export interface ForeignProtocolsParts {
  door: string;
  /** The protocol of its own clients. */
  spoken: string;
  /** The text for people, if that says more. */
  explained?: string;
  /** To HTTP/1; 505 where a later version of HTTP would be understood. Default: 400. */
  httpStatus?: string;
  fates: Fates;
  /** Where else the broker listens. Default: nowhere. */
  addresses?: OpenAddresses | undefined;
}

/** Ends the connections of those who speak what this door does not: told in their own words where these have some. */
export class ForeignProtocols {
  readonly #parts: ForeignProtocolsParts;
  readonly #addresses: OpenAddresses;

  constructor(parts: ForeignProtocolsParts) {
    this.#parts = parts;
    this.#addresses = parts.addresses ?? new OpenAddresses();
  }

  /**
   * @param protocol what the client speaks; undefined where nobody knows.
   * @param first what it has said.
   * @param closed is called when the connection is gone.
   */
  refuse(connection: Connection, protocol: Protocol | undefined, first: Uint8Array, closed = () => {}): void {
    const { remote, listener } = connection;
    const served = protocol && this.#addresses.servedAt(protocol, this.#parts.door);
    const what =
      protocol === undefined
        ? `does not speak ${this.#parts.spoken}`
        : `speaks ${protocol}, which this listener does not`;
    this.#parts.fates.tell({
      outcome: 'disconnected',
      code: 'unsupported-protocol',
      who: { remote, listener },
      affected: { remote, door: this.#parts.door },
      reason: `the client ${what}`,
      details: { served },
      line: `a client ${what}`,
      level: 'warn',
    });
    connection.handler = { bytes() {}, drained() {}, ended: () => connection.end(), closed };
    connection.end(protocol && lastWordOf(protocol, first, this.#parts, served));
  }
}

/** A fatal alert: handshake_failure (RFC 8446, section 6). */
const TLS_ALERT = Uint8Array.of(21, 3, 1, 0, 2, 2, 40);

/** The last word in the protocol of the client; Kafka has none for this, and its client sees its connection end. */
function lastWordOf(
  protocol: Protocol,
  first: Uint8Array,
  { spoken, explained = spoken, httpStatus = '400 Bad Request' }: ForeignProtocolsParts,
  served: string | undefined,
): Uint8Array | undefined {
  const elsewhere = served === undefined ? '' : `; ${protocol} is served at ${served}`;
  const text = `this port speaks ${explained}${elsewhere}`;
  switch (protocol) {
    case 'TLS':
      return TLS_ALERT;
    case 'HTTP/1':
      return httpAnswer(httpStatus, `This port speaks ${explained}.${webSocketHint(served)}\n`);
    case 'HTTP/2':
      return Buffer.concat([encodeSettings([]), encodeGoAway(0, Http2Code.PROTOCOL_ERROR, text)]);
    case 'MQTT':
      return connack(mqttLevelOf(first), text);
    case 'tinymq frames':
      return encodeFrame(FrameType.disconnect, '', new BrokerError('unsupported-protocol', text).message, '');
    case 'Kafka':
      return undefined;
  }
}

function webSocketHint(served: string | undefined): string {
  return served === undefined ? '' : ` WebSockets are served at ${served}.`;
}

function httpAnswer(status: string, text: string): Uint8Array {
  return Buffer.from(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}

/** Of the codes that CONNACK has, "unsupported protocol version" is nearest (MQTT 5, 3.2.2.2; MQTT 3.1.1, 3.2.2.3). */
function connack(level: number, reasonString: string): Uint8Array {
  const is5 = level >= 5;
  const reasonCode = is5 ? ReasonCode.unsupportedVersion : ConnackReturnCode.unacceptableVersion;
  const properties = is5 ? { reasonString } : {};
  const packet = { type: PacketType.connack, sessionPresent: false, reasonCode, properties } as const;
  return encodePacket(packet, is5 ? 5 : 4);
}
