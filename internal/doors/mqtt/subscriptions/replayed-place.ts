import type { Message } from '../../../broker/delivery/publication.ts';
import type { Reading, ReplayedMessage } from '../../../live/replay.ts';

/** The user properties that say where in the logs a replayed message stands, and since when (docs/mqtt.md, Replay). */
const LOG = 'tinymq.log';
const PARTITION = 'tinymq.partition';
const OFFSET = 'tinymq.offset';
/** In milliseconds since 1970. */
const PUBLISHED_AT = 'tinymq.published-at';
const OURS = new Set([LOG, PARTITION, OFFSET, PUBLISHED_AT]);

/** The message with its place. What its publisher called so, because it had it from a replay, is left out. */
export function withPlace(message: ReplayedMessage, { topic, partition }: Reading): Message {
  const { offset, publishedAtMs, properties } = message;
  const userProperties = (properties?.userProperties ?? []).filter(([name]) => !OURS.has(name));
  userProperties.push([LOG, topic.name], [PARTITION, String(partition.number)], [OFFSET, String(offset)]);
  if (publishedAtMs >= 0) userProperties.push([PUBLISHED_AT, String(publishedAtMs)]);
  return { ...message, properties: { ...properties, userProperties } };
}
