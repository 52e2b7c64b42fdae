import { CONNECT_PAYLOAD_BYTES } from './frame.ts';

/**
 * What the two sides of a connection may agree on beyond the plain frames (docs/frames.md, Extensions). The client offers
 * names in the payload of CONNECT, with a space between them; the broker answers in that of CONNACK with those of them
 * that it knows. A name may be followed by words of its own, as `credentials` is (credentials.ts, offer.ts).
 */
export const EXTENSIONS = [
  'refusals',
  'positions',
  'credentials',
  'acks',
  'once',
  'delivery',
  'session',
  'will',
  'retain',
  'headers',
  'expiry',
  'options',
  'offsets',
  'flow',
] as const;
export type Extension = (typeof EXTENSIONS)[number];

/** The names in an offer, or in the answer to one, that this version knows. What is unknown is passed over. */
export function parseExtensions(payload: Uint8Array): ReadonlySet<Extension> {
  if (payload.length === 0 || payload.length > CONNECT_PAYLOAD_BYTES) return new Set();
  const named = new TextDecoder().decode(payload).split(' ');
  return new Set(EXTENSIONS.filter((extension) => named.includes(extension)));
}

/** The payload that names these extensions. */
export function formatExtensions(extensions: Iterable<Extension>): string {
  return [...extensions].join(' ');
}
