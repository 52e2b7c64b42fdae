import type { Logger } from '../../broker/broker.ts';
import type { Connection } from '../../transport/connection.ts';

/** A protocol that is recognised on this port, which speaks another. */
interface ForeignProtocol {
  name: string;
  recognises(first: Uint8Array): boolean;
  /** What its clients understand. */
  answer(first: Uint8Array): Uint8Array;
}

const HTTP_1 = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE) /;
const HTTP_1_TEXT = 'This port speaks gRPC, which needs HTTP/2 from the first byte on.\n';
const HTTP_1_ANSWER = Buffer.from(
  'HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\n' +
    `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${HTTP_1_TEXT.length}\r\n\r\n${HTTP_1_TEXT}`,
);
/** A fatal alert: handshake_failure (RFC 8446, section 6). */
const TLS_ALERT = Buffer.of(21, 3, 1, 0, 2, 2, 40);
/** CONNACK: the server is not available (MQTT 3.1.1, section 3.2.2.3; MQTT 5, section 3.2.2.2). */
const MQTT_3_ANSWER = Buffer.of(0x20, 2, 0, 3);
const MQTT_5_ANSWER = Buffer.of(0x20, 3, 0, 0x88, 0);

const FOREIGN_PROTOCOLS: readonly ForeignProtocol[] = [
  {
    name: 'HTTP/1',
    recognises: (first) => HTTP_1.test(Buffer.from(first.subarray(0, 8)).toString('latin1')),
    answer: () => HTTP_1_ANSWER,
  },
  {
    // A handshake record of any version (RFC 8446, section 5.1).
    name: 'TLS',
    recognises: (first) => first[0] === 0x16 && (first.length === 1 || first[1] === 3),
    answer: () => TLS_ALERT,
  },
  {
    name: 'MQTT',
    recognises: (first) => mqttLevelOf(first) !== undefined,
    answer: (first) => (mqttLevelOf(first) === 5 ? MQTT_5_ANSWER : MQTT_3_ANSWER),
  },
];

/**
 * Tells a client that speaks no HTTP/2 so, in its own words where it has some, names it in the log, and closes.
 *
 * @param closed is called when the connection is gone.
 */
export function refuseForeign(
  connection: Connection,
  first: Uint8Array,
  log: Pick<Logger, 'warn'>,
  closed: () => void,
): void {
  const found = FOREIGN_PROTOCOLS.find(({ recognises }) => recognises(first));
  const { remote, listener } = connection;
  const what =
    found === undefined ? 'does not speak HTTP/2' : `speaks ${found.name}, which this listener does not`;
  log.warn({ code: 'unsupported-protocol', remote, listener }, `a client ${what}`);
  connection.handler = { bytes() {}, drained() {}, ended: () => connection.end(), closed };
  connection.end(found?.answer(first));
}

const MQTT_CONNECT = 0x10;
const MQTT_NAMES = ['MQTT', 'MQIsdp'];

/** The protocol level of a CONNECT of MQTT; undefined for what is none. */
function mqttLevelOf(first: Uint8Array): number | undefined {
  if (first[0] !== MQTT_CONNECT) return undefined;
  let at = 1;
  while (at < 4 && first[at]! >= 0x80) at++;
  const text = Buffer.from(first.subarray(at + 3, at + 10)).toString('latin1');
  const name = MQTT_NAMES.find((known) => text.startsWith(known));
  return name === undefined ? undefined : first[at + 3 + name.length];
}
