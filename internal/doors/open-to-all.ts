import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { allowAll, type Guard } from '../access/guard.ts';
import { type Endpoint, isSecure } from '../transport/endpoint.ts';
import type { DoorEntry } from './door.ts';

/** The checks of clients that connect. */
export interface Checks {
  guard: Guard | undefined;
  /** Whether somebody finds out who they are. */
  authenticates: boolean;
  /** Whether there are users or rules, so that nobody may do anything that no rule allows. */
  hasUsers: boolean;
  /** Whether listeners with TLS ask for certificates of clients. */
  asksForCertificates: boolean;
}

/** Whether a listener lets in everybody who reaches this machine, and nobody checks who that is. */
export async function isOpenToAll(
  door: Pick<DoorEntry, 'authenticates'>,
  endpoint: Endpoint,
  { guard, authenticates, hasUsers, asksForCertificates }: Checks,
): Promise<boolean> {
  if (hasUsers || endpoint.scheme === 'unix') return false;
  if (isSecure(endpoint) && asksForCertificates) return false;
  const isGuarded = guard !== undefined && guard.mayConnect !== allowAll.mayConnect;
  if (isGuarded || (authenticates && door.authenticates)) return false;
  return !(await isLoopback(endpoint.host));
}

/** Whether a name or an address means this machine only. A name that cannot be looked up does not. */
async function isLoopback(host: string): Promise<boolean> {
  if (host === 'localhost') return true;
  if (isIP(host) !== 0) return isLoopbackAddress(host);
  if (host === '') return false;
  const found = await lookup(host, { all: true }).catch(() => []);
  return found.length > 0 && found.every(({ address }) => isLoopbackAddress(address));
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');
LOOPBACK.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');

function isLoopbackAddress(address: string): boolean {
  return LOOPBACK.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
