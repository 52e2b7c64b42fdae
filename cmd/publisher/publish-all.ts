import { Failure } from '../../internal/lib/failure.ts';
import { type Client, ClosedError, ConnectionLostError } from '../../pkg/client/index.ts';
import type { Reporter } from './reporter.ts';

export interface PublishOptions {
  reporter: Pick<Reporter, 'published' | 'waits' | 'sent'>;
  /** Messages come at an interval: what is lost with a connection is made good by the next one. */
  isRepeating: boolean;
  stop: AbortSignal;
}

/**
 * Publishes everything, no faster than the broker and the reader of the output take it, and sees to it that it has
 * arrived at the broker.
 *
 * @throws Failure where some of it may not have arrived.
 */
export async function publishAll(
  client: Client,
  topic: string,
  payloads: AsyncIterable<Uint8Array>,
  { reporter, isRepeating, stop }: PublishOptions,
): Promise<void> {
  let hasBroken = false;
  /** Published while there was no connection; the client keeps it until there is one. */
  let waiting = 0;
  client.on('disconnect', () => {
    hasBroken = true;
  });
  client.on('connect', () => {
    if (waiting > 0) reporter.sent(waiting);
    waiting = 0;
  });
  try {
    for await (const payload of payloads) {
      if (stop.aborted) break;
      const isWaiting = !client.connected;
      if (isWaiting) waiting++;
      // What waits is told before the broker is waited for.
      const waitingRoom = isWaiting ? reporter.waits(payload) : undefined;
      if (client.publish(topic, payload) !== true) await client.drained();
      const room = isWaiting ? waitingRoom : reporter.published(payload);
      if (room !== undefined) await room;
    }
    if (!stop.aborted) await arrival(client);
  } catch (error) {
    if (!stop.aborted || !(error instanceof ClosedError)) throw error;
  }
  if (stop.aborted && waiting > 0) {
    throw new Failure(`stopped while the broker was away: ${waiting} messages were not sent`);
  }
  if (!stop.aborted && hasBroken && !isRepeating) {
    throw new Failure('the connection broke off meanwhile: what was on its way may be lost');
  }
}

/** The broker answers a PING in its turn, so whatever was published before has arrived. */
async function arrival(client: Client): Promise<void> {
  for (;;) {
    if (!client.connected) {
      await new Promise<void>((resolve) => client.on('connect', () => resolve()));
      continue;
    }
    try {
      await client.ping();
      return;
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error;
    }
  }
}
