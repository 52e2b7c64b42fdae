import type { IncomingMessage } from 'node:http';
import { BrokerError, type RefusedThing } from '../../errors.ts';

const PREFIX = '/topics/';

/**
 * The topic or the filter of a URL: what follows `/topics/`, decoded, so that every topic has a URL. A `#` is written
 * `%23` there, as it would begin a fragment.
 *
 * @throws BrokerError `malformed-http-request` where an escape is none, or is not UTF-8.
 */
export function topicOfPath(url: string): string {
  const [path] = url.split('?', 1);
  try {
    return decodeURIComponent(path.slice(PREFIX.length));
  } catch {
    throw new BrokerError('malformed-http-request', 'the path has a %-escape that is no UTF-8');
  }
}

/** What a refused request was about, as far as its path and headers say. */
export function thingOf({ url = '', method, headers }: IncomingMessage): RefusedThing {
  if (!url.startsWith('/topics/')) return {};
  const bytes = method === 'POST' ? Number(headers['content-length']) : Number.NaN;
  return { topic: topicOrPath(url), bytes: Number.isNaN(bytes) ? undefined : bytes };
}

function topicOrPath(url: string): string {
  try {
    return topicOfPath(url);
  } catch {
    return url.replace(/\?.*$/s, '');
  }
}
