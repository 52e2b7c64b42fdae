import { MqttError } from './mqtt-error.ts';
import { DUP_BIT, QOS_SHIFT, type Qos, RETAIN_BIT, type Version } from './packet.ts';
import { NO_PROPERTIES, type Properties, readProperties } from './properties.ts';
import { FieldReader } from './reader.ts';

/**
 * Finds where the fields of a PUBLISH lie, without making anything but its properties, if it has any.
 *
 *     [topic length:2][topic][packet id:2, with QoS 1 and 2][properties, in version 5][payload]
 */
export class PublishFields {
  qos: Qos = 0;
  retain = false;
  dup = false;
  packetId = 0;
  topicStart = 0;
  topicEnd = 0;
  properties: Properties = NO_PROPERTIES;
  /** Where the payload begins; it ends where the packet does. */
  payloadStart = 0;

  /**
   * Looks at the packet whose body lies between `start` and `end`. Whether the topic is UTF-8 is left to whoever
   * reads it.
   *
   * @throws MqttError `malformedPacket`, `protocolError`, `invalidTopicAlias`.
   */
  read(bytes: Uint8Array, flags: number, start: number, end: number, version: Version): void {
    const qos = (flags >>> QOS_SHIFT) & 3;
    // [MQTT-3.3.1-4]
    if (qos === 3) throw malformed('QoS 3');
    this.qos = qos as Qos;
    this.retain = (flags & RETAIN_BIT) !== 0;
    this.dup = (flags & DUP_BIT) !== 0;
    // [MQTT-3.3.1-2]; version 3.1 does not say so.
    if (this.dup && qos === 0 && version !== 3) throw malformed('DUP with QoS 0');
    if (end - start < 2) throw malformed('topic reaches over its end');
    this.topicStart = start + 2;
    this.topicEnd = this.topicStart + ((bytes[start] << 8) | bytes[start + 1]);
    let at = this.topicEnd;
    if (qos > 0) at += 2;
    if (at > end) throw malformed('topic or packet identifier reaches over its end');
    this.packetId = qos > 0 ? (bytes[at - 2] << 8) | bytes[at - 1] : 0;
    // [MQTT-2.2.1-3]
    if (qos > 0 && this.packetId === 0) throw new MqttError('protocolError', 'PUBLISH: packet identifier 0');
    this.properties = NO_PROPERTIES;
    if (version === 5) {
      if (bytes[at] === 0 && at < end) {
        at++;
      } else {
        const reader = new FieldReader(bytes, at, end, 'PUBLISH');
        this.properties = readProperties(reader, 'publish');
        at = reader.at;
      }
    }
    this.payloadStart = at;
    if (this.topicStart === this.topicEnd && this.properties.topicAlias === undefined) {
      // [MQTT-4.7.3-1]; in version 5 an alias may stand for it.
      throw new MqttError('protocolError', 'PUBLISH: an empty topic without a topic alias');
    }
  }
}

function malformed(problem: string): MqttError {
  return new MqttError('malformedPacket', `PUBLISH: ${problem}`);
}
