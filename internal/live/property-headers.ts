import type { RecordHeader } from '../batch/record-cursor.ts';
import type { MessageProperties } from '../broker/delivery/publication.ts';

/**
 * A message's properties as headers of its record, and back. User properties are headers of their own names, so that any
 * consumer of the log finds them, and headers that any producer gave a record are user properties. The others, and user
 * properties that are called like a header of ours, have a prefix.
 */

const PREFIX = 'mqtt.';
const CONTENT_TYPE = 'mqtt.content-type';
const RESPONSE_TOPIC = 'mqtt.response-topic';
const CORRELATION_DATA = 'mqtt.correlation-data';
const PAYLOAD_FORMAT = 'mqtt.payload-format';
const USER_PREFIX = 'mqtt.user.';
/** Headers of the log itself. */
const OWN_PREFIX = 'tinymq.';

/** The value of a property. */
const MAX_PROPERTY_BYTES = 65_535;

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Adds a message's properties to the headers of its record. */
export function addPropertyHeaders(properties: MessageProperties, headers: RecordHeader[]): void {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties;
  if (payloadFormatIndicator !== undefined) {
    headers.push({ key: PAYLOAD_FORMAT, value: utf8.encode(String(payloadFormatIndicator)) });
  }
  if (contentType !== undefined) headers.push({ key: CONTENT_TYPE, value: utf8.encode(contentType) });
  if (responseTopic !== undefined) headers.push({ key: RESPONSE_TOPIC, value: utf8.encode(responseTopic) });
  if (correlationData !== undefined) headers.push({ key: CORRELATION_DATA, value: correlationData });
  for (const [name, value] of userProperties ?? []) {
    const isOurs = name.startsWith(PREFIX) || name.startsWith(OWN_PREFIX);
    headers.push({ key: isOurs ? USER_PREFIX + name : name, value: utf8.encode(value) });
  }
}

/** Takes a header into the properties of a message, whoever wrote it; one that is no property is passed over. */
export function takePropertyHeader(key: string, value: Uint8Array, properties: MessageProperties): void {
  if (value.length > MAX_PROPERTY_BYTES || key.startsWith(OWN_PREFIX)) return;
  if (key === CORRELATION_DATA) {
    properties.correlationData = new Uint8Array(value);
    return;
  }
  const text = textOf(value);
  if (text === undefined) return;
  switch (key) {
    case PAYLOAD_FORMAT:
      if (text === '0' || text === '1') properties.payloadFormatIndicator = Number(text);
      return;
    case CONTENT_TYPE:
      properties.contentType = text;
      return;
    case RESPONSE_TOPIC:
      if (text !== '' && !/[+#]/.test(text)) properties.responseTopic = text;
      return;
    default: {
      const name = key.startsWith(USER_PREFIX) ? key.slice(USER_PREFIX.length) : key;
      if (!isProperty(name)) return;
      properties.userProperties ??= [];
      properties.userProperties.push([name, text]);
    }
  }
}

function textOf(value: Uint8Array): string | undefined {
  try {
    const text = strictUtf8.decode(value);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

function isProperty(name: string): boolean {
  return name.isWellFormed() && !name.includes('\0') && Buffer.byteLength(name) <= MAX_PROPERTY_BYTES;
}
