import type { KafkaRecord } from '../batch/read.ts';
import type { RecordHeader } from '../batch/record-cursor.ts';
import type { Message, MessageProperties, NewMessage } from '../broker/delivery/publication.ts';
import { EncodedTexts } from '../lib/encoded-texts.ts';
import { liveTopicOf } from '../log/names.ts';
import { MAX_CLIENT_ID_BYTES } from '../protocol/frame/frame.ts';
import { isReservedTopic, topicNameProblem } from '../topic.ts';
import { addPropertyHeaders, takePropertyHeader } from './property-headers.ts';

/**
 * A live message as a record of a log, and back. The payload is the value. Headers hold what a record has no place for:
 * who published it, and its topic where the name of the log does not say it.
 */

const CLIENT_HEADER = 'tinymq.client';
const TOPIC_HEADER = 'tinymq.topic';
/** When nobody wants the message any more, in milliseconds since 1970: an interval would depend on who wrote the record. */
const EXPIRY_HEADER = 'mqtt.expires-at';

const utf8 = new TextEncoder();
const names = new EncodedTexts();
// A leading U+FEFF is a character of a name like any other.
const text = new TextDecoder('utf-8', { ignoreBOM: true });

/** The headers of a message's record. */
export function headersOf(message: Message, logName: string): RecordHeader[] {
  const headers: RecordHeader[] = [{ key: CLIENT_HEADER, value: names.bytesOf(message.clientId) }];
  if (liveTopicOf(logName) !== message.topic) {
    headers.push({ key: TOPIC_HEADER, value: names.bytesOf(message.topic) });
  }
  if (message.expiresAtMs !== undefined) {
    headers.push({ key: EXPIRY_HEADER, value: utf8.encode(String(message.expiresAtMs)) });
  }
  if (message.properties !== undefined) addPropertyHeaders(message.properties, headers);
  return headers;
}

/**
 * The message of a record, whoever wrote it: one without our headers has the topic of its log and no publisher, and
 * so has one whose headers could not have come from a live message.
 */
export function messageOf(record: KafkaRecord, logName: string): NewMessage {
  let topic: string | undefined;
  let clientId = '';
  let properties: MessageProperties | undefined;
  let expiresAtMs: number | undefined;
  for (const { key, value } of record.headers) {
    if (value === null) continue;
    if (key === TOPIC_HEADER) topic = publishable(text.decode(value));
    else if (key === CLIENT_HEADER) clientId = sendable(text.decode(value));
    else if (key === EXPIRY_HEADER) expiresAtMs = timeOf(text.decode(value));
    else {
      properties ??= {};
      takePropertyHeader(key, value, properties);
    }
  }
  const message: NewMessage = {
    topic: topic ?? liveTopicOf(logName),
    payload: record.value ?? new Uint8Array(0),
    clientId,
  };
  if (expiresAtMs !== undefined) message.expiresAtMs = expiresAtMs;
  if (properties !== undefined && Object.keys(properties).length > 0) message.properties = properties;
  return message;
}

/** The topic that a record says it was published to, where that is another one than its log leads to. */
export function otherTopicOf(headers: readonly RecordHeader[], logName: string): string | undefined {
  let topic: string | undefined;
  for (const { key, value } of headers) {
    if (key === TOPIC_HEADER && value !== null) topic = publishable(text.decode(value));
  }
  return topic === liveTopicOf(logName) ? undefined : topic;
}

/** The client that a record says it was published by. */
export function clientOf(headers: readonly RecordHeader[]): string | undefined {
  let clientId = '';
  for (const { key, value } of headers) {
    if (key === CLIENT_HEADER && value !== null) clientId = sendable(text.decode(value));
  }
  return clientId === '' ? undefined : clientId;
}

function publishable(topic: string): string | undefined {
  return topicNameProblem(topic) === undefined && !isReservedTopic(topic) ? topic : undefined;
}

function timeOf(digits: string): number | undefined {
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
}

function sendable(clientId: string): string {
  return Buffer.byteLength(clientId) <= MAX_CLIENT_ID_BYTES ? clientId : '';
}
