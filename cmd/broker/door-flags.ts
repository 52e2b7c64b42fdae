import { DOORS } from '../../internal/doors/all.ts';
import { doorsWithPorts } from '../../internal/doors/door.ts';
import { list, type Option } from '../cli/options/option.ts';

/** The doors that have addresses of their own: that of `-address` and `-listen`, and those with a flag of their name. */
const [main, ...others] = doorsWithPorts(DOORS);

export const MAIN_DOOR = main;
export const OTHER_DOORS = others;

/** Where `-address` listens when only `-network` or TLS is asked for. */
export const DEFAULT_ADDRESS = MAIN_DOOR.listening.defaultUrl.replace(/^tcp:\/\//, '');

/** The flag that says where a door listens, which has the name of that door. */
export function doorFlag(name: string): Option<string[]> {
  const { title, clients, listening } = others.find((door) => door.name === name)!;
  const prefixes = Object.keys(listening.schemes).map((scheme) => `${scheme}://`);
  const [last, ...before] = prefixes.reverse();
  return list({
    group: title,
    placeholder: 'HOST:PORT|URL',
    help: `open the door for ${clients} clients: host:port, or a URL with ${before.reverse().join(', ')} or ${last}`,
  });
}
