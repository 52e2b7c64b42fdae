import type { Message, MessageProperties, NewMessage } from '../../broker/delivery/publication.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Qos } from '../../lib/qos.ts';
import type { Extension } from '../../protocol/frame/extensions.ts';
import { type Frame, FrameBit, FrameError } from '../../protocol/frame/frame.ts';
import { type FrameProperties, PropertyId, readProperties } from '../../protocol/frame/properties.ts';

/** The properties of each extension that a client may send. */
const PERMITTED: Partial<Record<Extension, readonly number[]>> = {
  retain: [PropertyId.retain],
  expiry: [PropertyId.expiry],
  headers: [
    PropertyId.header,
    PropertyId.contentType,
    PropertyId.correlationData,
    PropertyId.replyTo,
    PropertyId.text,
  ],
  delivery: [PropertyId.acknowledged],
  options: [PropertyId.noLocal, PropertyId.retainHandling, PropertyId.retainAsPublished],
  offsets: [PropertyId.start],
};
/** Those of a subscription; all others are of messages. */
const FIRST_OF_SUBSCRIPTIONS: number = PropertyId.acknowledged;
const NO_PROPERTIES: FrameProperties = {};

/** The ids of the properties that a client may send. */
export function permittedProperties(extensions: ReadonlySet<Extension>): ReadonlySet<number> {
  return new Set([...extensions].flatMap((extension) => PERMITTED[extension] ?? []));
}

/** What a frame says beside its payload, and that payload. */
export interface PermittedProperties {
  properties: FrameProperties;
  payload: Uint8Array;
}

/**
 * Reads the block of a frame that has one, a PUBLISH or a SUBSCRIBE.
 *
 * @throws FrameError where a property has no place there, or the sides did not agree on it.
 */
export function readPermitted(
  { type, payload }: Pick<Frame, 'type' | 'payload'>,
  permitted: ReadonlySet<number>,
  isSubscription = false,
): PermittedProperties {
  if ((type & FrameBit.properties) === 0) return { properties: NO_PROPERTIES, payload };
  const { properties, ids, messageStart } = readProperties(payload, 0, payload.length);
  for (const id of ids) {
    if (permitted.has(id) && id >= FIRST_OF_SUBSCRIPTIONS === isSubscription) continue;
    throw new FrameError('meaningless', 'properties', `have ${id}, which was not agreed on for such a frame`);
  }
  return { properties, payload: payload.subarray(messageStart) };
}

/** The message of a frame. Its payload is a copy, because it may be kept longer than the chunk that it lies in. */
export function messageOf(
  { topic, payload, clientId }: Pick<Frame, 'topic' | 'payload' | 'clientId'>,
  properties: FrameProperties,
  qos: Qos,
  clock: Clock,
): Message {
  const message: NewMessage = { topic, payload: new Uint8Array(payload), clientId, qos };
  if (properties.retain) message.retain = true;
  if (properties.expiresInMs !== undefined) message.expiresAtMs = clock.now() + properties.expiresInMs;
  const said = messageProperties(properties);
  if (said !== undefined) message.properties = said;
  return message;
}

function messageProperties(properties: FrameProperties): MessageProperties | undefined {
  const { headers, contentType, correlationData, replyTo, isText } = properties;
  const said: MessageProperties = {};
  if (isText) said.payloadFormatIndicator = 1;
  if (contentType !== undefined) said.contentType = contentType;
  if (replyTo !== undefined) said.responseTopic = replyTo;
  if (correlationData !== undefined) said.correlationData = correlationData;
  if (headers !== undefined) said.userProperties = headers;
  return Object.keys(said).length === 0 ? undefined : said;
}

/** Which properties of messages a client is told. */
export interface Told {
  headers: boolean;
  expiry: boolean;
  retain: boolean;
  /** Where in a log a message was read. */
  offsets: boolean;
}

/** The same for messages that say their place elsewhere. */
export function withoutPlace(told: Told): Told {
  return told.offsets ? { ...told, offsets: false } : told;
}

/** What a client is told of a message; undefined where that is nothing. */
export function propertiesToTell(message: Message, told: Told, clock: Clock): FrameProperties | undefined {
  const { properties, expiresAtMs, readFrom, offset } = message;
  const tellsExpiry = told.expiry && expiresAtMs !== undefined;
  const tellsPlace = told.offsets && readFrom !== undefined && offset !== undefined;
  if (!tellsExpiry && !tellsPlace && !(told.headers && properties !== undefined)) return undefined;
  const said: FrameProperties = {};
  if (tellsPlace) said.place = { ...readFrom, offset };
  // What is still wanted is not said to be over.
  if (tellsExpiry) said.expiresInMs = Math.max(1, Math.ceil(expiresAtMs - clock.now()));
  if (told.headers && properties !== undefined) tellHeaders(properties, said);
  return Object.keys(said).length === 0 ? undefined : said;
}

function tellHeaders(properties: MessageProperties, said: FrameProperties): void {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties;
  if (userProperties !== undefined) said.headers = userProperties;
  if (contentType !== undefined) said.contentType = contentType;
  if (correlationData !== undefined) said.correlationData = correlationData;
  if (responseTopic !== undefined) said.replyTo = responseTopic;
  if (payloadFormatIndicator === 1) said.isText = true;
}
