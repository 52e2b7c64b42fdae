import { BlockList, isIP } from 'node:net';
import { type Effect, UNIX_HOST } from './rule.ts';

/** Whether a client comes from one of the hosts of a rule, by `remote` of its identity. */
export type HostTest = (remote: string) => boolean;

/** An address that cannot be told is meant by a rule that denies, and not by one that allows. */
export function hostTest(hosts: readonly string[], effect: Effect): HostTest {
  const networks = new BlockList();
  for (const host of hosts) addNetwork(networks, host);
  const isUnixMeant = hosts.includes(UNIX_HOST);
  return (remote) => {
    if (remote === UNIX_SOCKET) return isUnixMeant;
    const address = addressOf(remote);
    if (address === undefined) return effect === 'deny';
    return networks.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
  };
}

/** What transport calls the other side of a unix socket. */
const UNIX_SOCKET = 'unix socket';

function addNetwork(networks: BlockList, host: string): void {
  const [network = '', bits] = host.split('/');
  const address = withoutMapping(network);
  if (isIP(address) === 0) return;
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  if (bits === undefined) networks.addAddress(address, family);
  else networks.addSubnet(address, bitsOf(network, address, Number(bits)), family);
}

/** A network of mapped addresses, `::ffff:10.0.0.0/104`, is one of IPv4. */
function bitsOf(written: string, address: string, bits: number): number {
  return written === address ? bits : Math.max(0, bits - 96);
}

/** The address in `1.2.3.4:5`, `[::1]:5` or `::1:5`; undefined where there is none. */
function addressOf(remote: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|(.*)):\d+$/.exec(remote) ?? [];
  const address = withoutMapping((bracketed ?? plain ?? remote).replace(/%.*$/, ''));
  return isIP(address) === 0 ? undefined : address;
}

/** An address of IPv4 that came by a socket of IPv6. */
function withoutMapping(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}
