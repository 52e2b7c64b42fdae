import type { Message } from '../../broker/delivery/publication.ts';
import { jsonPayload } from '../../lib/printable.ts';
import type { StoredMessage } from '../../live/stored-messages.ts';

/** A place in a log. */
export interface Place {
  log: string;
  partition: number;
}

/** A message as JSON, with the names that `subscriber -json` prints. Undefined fields are left out. */
export function messageJson(message: Message & Partial<StoredMessage>, place?: Place): object {
  const {
    topic,
    payload,
    clientId,
    qos,
    retain,
    properties = {},
    expiresAtMs,
    offset,
    publishedAtMs,
  } = message;
  const { contentType, responseTopic, correlationData, userProperties } = properties;
  return {
    ...{ topic, ...jsonPayload(payload), clientId },
    qos: qos === 0 ? undefined : qos,
    retain: retain === true ? true : undefined,
    ...{ contentType, responseTopic },
    correlationData: correlationData && Buffer.from(correlationData).toString('base64'),
    userProperties: userProperties?.map(([name, value]) => ({ name, value })),
    expiresAt: timeOf(expiresAtMs),
    ...place,
    offset,
    publishedAt: timeOf(publishedAtMs),
  };
}

/** The schema of {@link messageJson}. */
export const messageSchema = {
  type: 'object',
  description: 'A message. The payload is text, or base64 where `encoding` says so.',
  properties: {
    topic: { type: 'string' },
    payload: { type: 'string' },
    encoding: { type: 'string', enum: ['base64'] },
    clientId: { type: 'string' },
    qos: { type: 'integer', enum: [1, 2] },
    retain: { type: 'boolean' },
    contentType: { type: 'string' },
    responseTopic: { type: 'string' },
    correlationData: { type: 'string', description: 'In base64.' },
    userProperties: {
      type: 'array',
      items: {
        type: 'object',
        properties: { name: { type: 'string' }, value: { type: 'string' } },
        required: ['name', 'value'],
      },
    },
    expiresAt: { type: 'string', format: 'date-time' },
    log: { type: 'string' },
    partition: { type: 'integer' },
    offset: { type: 'integer' },
    publishedAt: { type: 'string', format: 'date-time' },
  },
  required: ['topic', 'payload', 'clientId'],
} as const;

/** The last millisecond that the format of dates has. */
const LAST_TIME_MS = 8.64e15;

function timeOf(timeMs: number | undefined): string | undefined {
  if (timeMs === undefined || timeMs < 0 || timeMs > LAST_TIME_MS) return undefined;
  return new Date(timeMs).toISOString();
}
