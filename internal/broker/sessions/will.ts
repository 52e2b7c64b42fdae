import type { DelayedMessage } from '../delayed-messages.ts';

/** A message that is published when a connection has ended badly. */
export type Will = Omit<DelayedMessage, 'dueAtMs' | 'owner'>;

/** Its key among the delayed messages. */
export function willKeyOf(clientId: string): string {
  return `will/${clientId}`;
}

/** The client whose will has this key; undefined for a key of something else. */
export function clientOfWill(key: string): string | undefined {
  return key.startsWith(PREFIX) ? key.slice(PREFIX.length) : undefined;
}

const PREFIX = willKeyOf('');
