import { quoted } from '../errors.ts';
import { shownAddress } from '../lib/shown-address.ts';

const SCHEMES = ['nats:', 'tls:'];

/**
 * Why this names no NATS server; undefined where it does. A user or a password in it is refused, as it would be in lists of processes and
 * in logs.
 */
export function natsUrlProblem(url: string): string | undefined {
  const shown = quoted(shownAddress(url));
  const parsed = URL.parse(url);
  if (parsed === null || !SCHEMES.includes(parsed.protocol) || parsed.hostname === '') {
    return `${shown} is no address of a NATS server: nats://HOST:4222, or tls://HOST:4222`;
  }
  if (parsed.username !== '' || parsed.password !== '') {
    return `${shown} has a user in it: write USER:PASSWORD into a file, and name that with -cluster-credentials`;
  }
  const isMore = /[^/]/.test(parsed.pathname) || parsed.search !== '' || parsed.hash !== '';
  return isMore ? `${shown} has more behind HOST:PORT, which means nothing there` : undefined;
}
