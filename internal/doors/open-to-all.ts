import { allowAll, type Guard } from '../access/guard.ts';
import { type Endpoint, isSecure } from '../transport/endpoint.ts';
import type { DoorEntry } from './door.ts';

/** The checks of clients that connect. */
export interface Checks {
  guard: Guard | undefined;
  /** Whether somebody finds out who they are. */
  authenticates: boolean;
  /** Whether listeners with TLS ask for certificates of clients. */
  asksForCertificates: boolean;
}

/** Whether a listener lets in everybody who reaches this machine, and nobody checks who that is. */
export function isOpenToAll(
  door: Pick<DoorEntry, 'authenticates'>,
  endpoint: Endpoint,
  { guard, authenticates, asksForCertificates }: Checks,
): boolean {
  if (endpoint.scheme === 'unix' || isLoopback(endpoint.host)) return false;
  if (isSecure(endpoint) && asksForCertificates) return false;
  const isGuarded = guard !== undefined && guard.mayConnect !== allowAll.mayConnect;
  return !isGuarded && !(authenticates && door.authenticates);
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    /^127(\.\d+){3}$/.test(host) ||
    /^(0*:)*:?0*1$/.test(host) ||
    /^::ffff:127\./i.test(host)
  );
}
