import { mqttPacketSlackBytes } from '../../limits/mqtt.ts';
import type { Connection } from '../../transport/connection.ts';
import type { ClientConnections } from '../clients/client-connections.ts';
import { type ClientDoorParts, clientConnections, clientServices } from '../clients/client-door.ts';
import type { Door } from '../door.ts';
import { MqttConnection, type MqttConnectionParts } from './connection.ts';

/** A client may be silent for this many times its keep-alive [MQTT-3.1.2-22]. */
const KEEP_ALIVE_FACTOR = 1.5;
/** The largest packet that the remaining length can say. */
const LARGEST_PACKET_BYTES = 268_435_460;

/** The door of MQTT 3.1, 3.1.1 and 5.0 (docs/mqtt.md). */
export class MqttDoor implements Door {
  readonly name = 'mqtt';
  readonly #parts: MqttConnectionParts;
  readonly #connections: ClientConnections<MqttConnection>;

  constructor(parts: ClientDoorParts) {
    const { maxMessageBytes, keepAliveMs } = parts;
    const maxPacketBytes = Math.min(maxMessageBytes + mqttPacketSlackBytes, LARGEST_PACKET_BYTES);
    this.#parts = {
      ...clientServices(parts),
      offer: { maxPacketBytes, keepAliveMs },
      closed: (connection) => this.#connections.delete(connection),
    };
    this.#connections = clientConnections(parts, (connection) => connection.keepAliveMs * KEEP_ALIVE_FACTOR);
  }

  open(connection: Connection, first: Uint8Array): void {
    const opened = new MqttConnection(connection, this.#parts);
    this.#connections.add(opened);
    if (first.length > 0) opened.bytes(first);
  }

  async close(timeoutMs: number): Promise<void> {
    await this.#connections.close(timeoutMs);
  }
}
