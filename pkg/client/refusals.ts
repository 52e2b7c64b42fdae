import { RefusedError } from './errors.ts';

/** Ends of a connection that are nobody's mistake and pass. `refused`: a broker that gives no reason. */
const TRANSIENT = new Set([
  'server-shutdown',
  'too-many-clients',
  'connect-timeout',
  'keepalive-timeout',
  'slow-consumer',
  'too-many-logins',
  // On the next connection the client shows its credentials again, which may be fresh ones.
  'credentials-expired',
  'internal-error',
  'refused',
]);

/** Whether the same would only be refused again. */
export function isPermanent(error: unknown): error is RefusedError {
  return error instanceof RefusedError && !TRANSIENT.has(error.code);
}

/** Whether another program has the client's id now; coming back, the two would push each other out for ever. */
export function isTakenOver(error: unknown): boolean {
  return error instanceof RefusedError && error.code === 'taken-over';
}

const OF_SUBSCRIBE = new Set(['invalid-filter', 'too-many-subscriptions', 'no-log']);

/**
 * Whether it was a SUBSCRIBE for which a broker ended the connection: certainly, perhaps, or not at all. A broker that
 * knows the extension `refusals` says so itself, and goes on.
 */
export function isOfSubscribe({ code }: RefusedError): 'yes' | 'perhaps' | 'no' {
  if (OF_SUBSCRIBE.has(code)) return 'yes';
  return code === 'not-authorized' ? 'perhaps' : 'no';
}
