import type { Encoding, Message } from '../../broker/delivery/publication.ts';
import type { StoredMessage } from '../../live/stored-messages.ts';
import { messageJson, type Place } from './message-json.ts';

/** A message as a server-sent event (HTML Living Standard, section 9.2.6): JSON never has a line break. */
export function eventOf(message: Message & Partial<StoredMessage>, id?: string, place?: Place): string {
  const data = `data: ${JSON.stringify(messageJson(message, place))}\n\n`;
  return id === undefined ? data : `id: ${id}\n${data}`;
}

/** A message of the retained store as an event. */
export function encodeRetained(message: Message): Uint8Array {
  return Buffer.from(eventOf({ ...message, retain: true }));
}

/** Live messages as events, for streams that read no logs. */
export const LIVE_EVENTS: Encoding = {
  name: 'events',
  // No client of the door publishes events.
  decode: () => [],
  encode: (messages) => Buffer.from(messages.map((message) => eventOf(message)).join('')),
};

/** Live messages as events. Those that a log keeps are left out: the stream reads them there, with their offsets. */
export function liveEvents(isKept: (topic: string) => boolean): Encoding {
  return {
    ...LIVE_EVENTS,
    name: 'events beside logs',
    encode: (messages) => LIVE_EVENTS.encode(messages.filter(({ topic }) => !isKept(topic))),
  };
}
