import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { micromatch } from '../lib/micromatch.ts';

/** Pages that this machine itself serves. A page from elsewhere must not reach a broker on its visitor's machine. */
const LOCAL_ORIGINS = ['http?(s)://{localhost,127.0.0.1,\\[::1\\]}?(:*)'];

/**
 * Whether a WebSocket may be opened by whoever asks. Programs that are no browsers send no origin and always may.
 *
 * @param globs the origins whose pages may; pages of this machine where undefined, and those that the address serves which
 *   is dialled.
 */
export function mayOpen(request: IncomingMessage, globs: readonly string[] | undefined): boolean {
  const { origin } = request.headers;
  if (origin === undefined || isOneOf(origin, globs ?? LOCAL_ORIGINS)) return true;
  return globs === undefined && isOfDialledAddress(request, origin);
}

/** Whether an origin is one of those that globs name. */
export function isOneOf(origin: string, globs: readonly string[]): boolean {
  // A glob's * stops at a slash, which an origin only has after its scheme.
  return globs.length > 0 && micromatch().isMatch(origin, globs as string[], { nocase: true });
}

/**
 * Whether the page, and the address that it dials, are named by the IP address at this end of the connection. A name proves
 * nothing: whoever owns it may let it lead here once the page is loaded (DNS rebinding).
 */
function isOfDialledAddress({ headers, socket }: IncomingMessage, origin: string): boolean {
  const page = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1];
  const address = addressOf(page);
  if (address === undefined || addressOf(headers.host) !== address) return false;
  const local = socket.localAddress?.replace(/%.*$/, '');
  if (local === undefined) return false;
  // An IPv4 peer of a listener for both families: the address that it knows is the inner one.
  return [local, local.replace(/^::ffff:(?=\d+\.)/i, '')].some((own) => addressOf(inUrl(own)) === address);
}

/** The IP address of `host:port`, as everybody writes it; undefined for a name. */
function addressOf(authority: string | undefined): string | undefined {
  const host = authority === undefined ? undefined : URL.parse(`http://${authority}`)?.hostname;
  return host !== undefined && isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0 ? host : undefined;
}

function inUrl(address: string): string {
  return isIP(address) === 6 ? `[${address}]` : address;
}
