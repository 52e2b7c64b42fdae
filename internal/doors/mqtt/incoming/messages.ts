import type { Message, MessageProperties, NewMessage } from '../../../broker/delivery/publication.ts';
import type { Clock } from '../../../lib/clock.ts';
import { NO_PROPERTIES, type Properties } from '../../../protocol/mqtt/properties.ts';
import type { PublishFields } from '../../../protocol/mqtt/publish-fields.ts';

/** The properties of a packet that belong to its message; the others are between two ends of a connection. */
export function messageProperties(properties: Properties): MessageProperties | undefined {
  if (properties === NO_PROPERTIES) return undefined;
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties;
  const kept: MessageProperties = {};
  if (payloadFormatIndicator !== undefined) kept.payloadFormatIndicator = payloadFormatIndicator;
  if (contentType !== undefined) kept.contentType = contentType;
  if (responseTopic !== undefined) kept.responseTopic = responseTopic;
  // It is kept longer than the chunk that it lies in.
  if (correlationData !== undefined) kept.correlationData = new Uint8Array(correlationData);
  if (userProperties !== undefined) kept.userProperties = userProperties;
  return Object.keys(kept).length === 0 ? undefined : kept;
}

/**
 * The message of a PUBLISH.
 *
 * @param payload a copy, because it may be kept longer than the chunk that it lies in.
 */
export function messageOf(
  fields: PublishFields,
  payload: Uint8Array,
  topic: string,
  clientId: string,
  clock: Clock,
): Message {
  const { qos, retain, properties } = fields;
  const message: NewMessage = { topic, payload, clientId, qos, retain };
  if (properties !== NO_PROPERTIES) {
    message.properties = messageProperties(properties);
    const expiryS = properties.messageExpiryIntervalS;
    if (expiryS !== undefined) message.expiresAtMs = clock.now() + expiryS * 1000;
  }
  return message;
}
