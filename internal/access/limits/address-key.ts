/**
 * What an address counts as when somebody tries again and again: an IPv4 address as it is, of an IPv6 address the network
 * of 64 bits, because its owner has all the rest. Anything else, such as a unix socket, counts as it is written.
 *
 * @param remote an address and port, as connections tell it.
 */
export function addressKeyOf(remote: string): string {
  const address = /^\[(.*)\]:\d+$/.exec(remote)?.[1] ?? /^([\d.]+):\d+$/.exec(remote)?.[1];
  if (address === undefined) return remote;
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address;
  return `${networkOf(address.split('%')[0]!)}::/64`;
}

const NETWORK_GROUPS = 4;
const ALL_GROUPS = 8;

function networkOf(address: string): string {
  const [head = '', tail] = address.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : ALL_GROUPS - front.length - back.length;
  const groups = [...front, ...Array<string>(Math.max(0, zeros)).fill('0'), ...back];
  return groups
    .slice(0, NETWORK_GROUPS)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
