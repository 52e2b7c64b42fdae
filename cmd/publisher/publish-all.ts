import { Failure } from '../../internal/lib/failure.ts';
import {
  type Client,
  ClosedError,
  ConnectionLostError,
  type PublishOptions as MessageOptions,
} from '../../pkg/client/index.ts';
import type { Reporter } from './reporter.ts';

export interface PublishOptions {
  reporter: Pick<Reporter, 'published' | 'waits' | 'sent'>;
  /** What goes with each message. */
  options?: MessageOptions | undefined;
  /** Messages come at an interval: what is lost with a connection is made good by the next one. */
  isRepeating: boolean;
  /** How long the broker may be away; as long as it likes where this is undefined. */
  awayAtMostMs: number | undefined;
  stop: AbortSignal;
}

/**
 * Publishes everything, no faster than the broker and the reader of the output take it, and sees to it that it has
 * arrived at the broker.
 *
 * @throws Failure where some of it may not have arrived, or the broker stays away.
 */
export async function publishAll(
  client: Client,
  topic: string,
  payloads: AsyncIterable<Uint8Array>,
  { reporter, options, isRepeating, awayAtMostMs, stop }: PublishOptions,
): Promise<void> {
  let hasBroken = false;
  /** Published while there was no connection; the client keeps it until there is one. */
  let waiting = 0;
  const promises = new Promises();
  client.on('disconnect', () => {
    hasBroken = true;
  });
  client.on('connect', () => {
    if (waiting > 0) reporter.sent(waiting);
    waiting = 0;
  });
  const outage = awayTooLong(client, awayAtMostMs, () => (waiting === 0 ? '' : `: ${notSent(waiting)}`));
  try {
    await Promise.race([publishEach(), outage.failure, promises.failure]);
  } catch (error) {
    if (!stop.aborted || !(error instanceof ClosedError)) throw error;
  } finally {
    outage.end();
  }
  if (stop.aborted && waiting > 0) {
    throw new Failure(`stopped while the broker was away: ${notSent(waiting)}`);
  }
  if (!stop.aborted && hasBroken && !isRepeating && !options?.qos) {
    throw new Failure('the connection broke off meanwhile: what was on its way may be lost');
  }

  async function publishEach(): Promise<void> {
    for await (const payload of payloads) {
      if (stop.aborted) return;
      const isWaiting = !client.connected;
      if (isWaiting) waiting++;
      // What waits is told before the broker is waited for.
      const waitingRoom = isWaiting ? reporter.waits(payload) : undefined;
      await publishOne(payload);
      const room = isWaiting ? waitingRoom : reporter.published(payload);
      if (room !== undefined) await room;
    }
    await promises.kept();
    if (!stop.aborted) await arrival(client);
  }

  /** What is promised is not waited for one by one; what waits for the promises has bounds. */
  async function publishOne(payload: Uint8Array): Promise<void> {
    if (options?.qos) {
      await client.drained();
      promises.add(client.publish(topic, payload, options));
    } else if (client.publish(topic, payload, options) !== true) {
      await client.drained();
    }
  }
}

/** What the broker has not acknowledged yet. */
class Promises {
  readonly #open = new Set<Promise<unknown>>();
  #fail!: (error: unknown) => void;
  /** Rejects when one of them is not kept. */
  readonly failure = new Promise<never>((_, reject) => {
    this.#fail = reject;
  });

  constructor() {
    this.failure.catch(() => {});
  }

  add(acknowledged: true | Promise<true>): void {
    if (acknowledged === true) return;
    this.#open.add(acknowledged);
    acknowledged.then(() => this.#open.delete(acknowledged), this.#fail);
  }

  async kept(): Promise<void> {
    await Promise.all(this.#open);
  }
}

function notSent(count: number): string {
  return count === 1 ? '1 message was not sent' : `${count} messages were not sent`;
}

/** Fails when there has been no connection for so long; one that is open again begins anew. */
function awayTooLong(
  client: Client,
  atMostMs: number | undefined,
  consequence: () => string,
): { failure: Promise<never>; end(): void } {
  let timer: NodeJS.Timeout | undefined;
  const failure = new Promise<never>((_, reject) => {
    if (atMostMs === undefined) return;
    client.on('disconnect', () => {
      const fail = () => reject(new Failure(`the broker was away for ${atMostMs / 1000} s${consequence()}`));
      timer ??= setTimeout(fail, atMostMs);
    });
    client.on('connect', () => end());
  });

  function end(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  return { failure, end };
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
