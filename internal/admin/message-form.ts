import type { Message, MessageProperties, NewMessage } from '../broker/delivery/publication.ts';
import { checkPublishable } from '../broker/routing/publishable-topic.ts';
import { BrokerError, quoted } from '../errors.ts';
import { jsonPayload } from '../lib/printable.ts';
import type { Qos } from '../lib/qos.ts';
import { MAX_TOPIC_BYTES, topicNameProblem } from '../topic.ts';
import { type JsonSchema, listOf, objectOf, text, time } from './operation.ts';

/** A retained message as JSON: all that is kept of it, so that it can be put back. */
export interface MessageForm {
  readonly topic: string;
  readonly payload: string;
  readonly encoding?: 'base64' | undefined;
  readonly qos: Qos;
  readonly clientId: string;
  readonly user?: string | undefined;
  readonly payloadFormatIndicator?: number | undefined;
  readonly contentType?: string | undefined;
  readonly responseTopic?: string | undefined;
  /** In base64. */
  readonly correlationData?: string | undefined;
  readonly userProperties?: readonly { readonly name: string; readonly value: string }[] | undefined;
  readonly expiresAt?: string | undefined;
}

export const MESSAGE_FORM: JsonSchema = objectOf(
  {
    topic: text,
    payload: { ...text, description: 'Text, or base64 where `encoding` says so.' },
    encoding: { type: 'string', enum: ['base64'] },
    qos: { type: 'integer', enum: [0, 1, 2] },
    clientId: { ...text, description: 'Who published it.' },
    ...{ user: text, contentType: text, responseTopic: text },
    payloadFormatIndicator: { type: 'integer', enum: [0, 1] },
    correlationData: { ...text, description: 'In base64.' },
    userProperties: listOf(objectOf({ name: text, value: text })),
    expiresAt: time,
  },
  ['topic', 'payload', 'qos', 'clientId'],
);

export function formOf({
  topic,
  payload,
  qos = 0,
  clientId,
  user,
  properties,
  expiresAtMs,
}: Message): MessageForm {
  const { correlationData, userProperties, contentType, responseTopic, payloadFormatIndicator } =
    properties ?? {};
  return {
    ...{ topic, ...jsonPayload(payload), qos, clientId, user },
    ...{ payloadFormatIndicator, contentType, responseTopic },
    correlationData: correlationData && Buffer.from(correlationData).toString('base64'),
    userProperties: userProperties?.map(([name, value]) => ({ name, value })),
    expiresAt: expiresAtMs === undefined ? undefined : new Date(expiresAtMs).toISOString(),
  };
}

/** @throws BrokerError where clients could not have published such a message. */
export function messageOf(form: MessageForm): Message {
  const { topic, payload, encoding, qos, clientId, user, expiresAt } = form;
  checkPublishable(topic);
  const message: NewMessage = {
    ...{ topic, qos, retain: true, clientId: checkedText(clientId, 'clientId') },
    payload: encoding === undefined ? Buffer.from(payload) : bytesOf(payload, 'payload'),
  };
  if (message.payload.length === 0) {
    throw new BrokerError('invalid-change', `topic ${quoted(topic)}: a retained message has a payload`);
  }
  if (user !== undefined) message.user = checkedText(user, 'user');
  if (expiresAt !== undefined) message.expiresAtMs = timeOf(expiresAt);
  const properties = propertiesOf(form);
  if (Object.keys(properties).length > 0) message.properties = properties;
  return message;
}

function timeOf(expiresAt: string): number {
  const timeMs = Date.parse(expiresAt);
  // A leap second is a time by the schema, and none by the clock.
  if (Number.isNaN(timeMs))
    throw new BrokerError('invalid-change', `expiresAt ${quoted(expiresAt)} is no time`);
  return timeMs;
}

function propertiesOf(form: MessageForm): MessageProperties {
  const { contentType, responseTopic, correlationData, userProperties, payloadFormatIndicator } = form;
  const properties: MessageProperties = {};
  if (payloadFormatIndicator !== undefined) properties.payloadFormatIndicator = payloadFormatIndicator;
  if (contentType !== undefined) properties.contentType = checkedText(contentType, 'contentType');
  if (responseTopic !== undefined) {
    const problem = topicNameProblem(responseTopic);
    if (problem !== undefined) throw new BrokerError('invalid-change', `responseTopic: ${problem}`);
    properties.responseTopic = responseTopic;
  }
  if (correlationData !== undefined) {
    properties.correlationData = bytesOf(correlationData, 'correlationData', MAX_TOPIC_BYTES);
  }
  if (userProperties !== undefined && userProperties.length > 0) {
    properties.userProperties = userProperties.map(({ name, value }) => [
      checkedText(name, 'userProperties'),
      checkedText(value, 'userProperties'),
    ]);
  }
  return properties;
}

const BASE64 = /^(?:[\w+/-]{4})*(?:[\w+/-]{2}(?:==)?|[\w+/-]{3}=?)?$/;

function bytesOf(base64: string, field: string, maxBytes = Number.POSITIVE_INFINITY): Uint8Array {
  if (!BASE64.test(base64)) throw new BrokerError('invalid-change', `${field} is no base64`);
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length > maxBytes)
    throw new BrokerError('invalid-change', `${field} is longer than ${maxBytes} bytes`);
  return bytes;
}

/** Text that has a place in every protocol: no longer than its lengths count, and UTF-8 without NUL. */
function checkedText(value: string, field: string): string {
  if (value.includes('\0') || !value.isWellFormed() || Buffer.byteLength(value) > MAX_TOPIC_BYTES) {
    throw new BrokerError(
      'invalid-change',
      `${field} is UTF-8 without NUL, at most ${MAX_TOPIC_BYTES} bytes`,
    );
  }
  return value;
}
