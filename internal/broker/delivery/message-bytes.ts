import type { Message } from './publication.ts';

/** The memory of a user property beside its characters: two strings and their holder. */
const USER_PROPERTY_BYTES = 64;

/** The approximate memory of a message: its topic, payload and properties. */
export function messageBytes({ topic, payload, properties }: Message): number {
  return topic.length + payload.length + (properties === undefined ? 0 : propertiesBytes(properties));
}

function propertiesBytes(properties: NonNullable<Message['properties']>): number {
  let bytes = (properties.contentType?.length ?? 0) + (properties.responseTopic?.length ?? 0);
  bytes += properties.correlationData?.length ?? 0;
  for (const [name, value] of properties.userProperties ?? []) {
    bytes += name.length + value.length + USER_PROPERTY_BYTES;
  }
  return bytes;
}
