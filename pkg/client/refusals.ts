import { RefusedError } from './errors.ts';

/** Ends of a connection that are nobody's mistake and pass. `refused`: a broker that gives no reason. */
const TRANSIENT = new Set([
  'server-shutdown',
  'too-many-clients',
  'connect-timeout',
  'keepalive-timeout',
  'slow-consumer',
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

/** Whether it was a SUBSCRIBE that was refused: certainly, perhaps, or not at all. */
export function isOfSubscribe({ code }: RefusedError): 'yes' | 'perhaps' | 'no' {
  if (code === 'invalid-filter' || code === 'too-many-subscriptions') return 'yes';
  return code === 'not-authorized' ? 'perhaps' : 'no';
}
