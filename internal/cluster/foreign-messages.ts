import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { messageToldMs } from '../limits/cluster.ts';

/** Told of a message that is passed over, as no broker of this cluster wrote it, or that no server has any more; and how that is known. */
export type NoteMessage = (subject: string, reason: string) => void;

/** Tells of the first one at once, and of those behind it together: there may be many. */
export function messageTeller(
  tell: (fields: { subject: string; reason: string; count: number }) => void,
): NoteMessage {
  let toldAtMs = Number.NEGATIVE_INFINITY;
  let count = 0;
  return (subject, reason) => {
    count++;
    const nowMs = performance.now();
    if (nowMs - toldAtMs < messageToldMs) return;
    tell({ subject, reason, count });
    toldAtMs = nowMs;
    count = 0;
  };
}

/**
 * Subscribes to a subject, and passes over what `take` fails at. Its error may not get any further: the client of NATS would read
 * nothing more from a connection that all share.
 */
export function listen(
  connection: NatsConnection,
  subject: string,
  take: (message: Msg) => Promise<void> | undefined | void,
  noteForeign: NoteMessage,
): Subscription {
  return connection.subscribe(subject, {
    callback(_error, message) {
      const passOver = (error: Error) => noteForeign(message.subject, error.message);
      try {
        void take(message)?.catch(passOver);
      } catch (error) {
        passOver(error as Error);
      }
    },
  });
}
