import { type Extension, parseExtensions } from '../../protocol/frame/extensions.ts';

/** The extensions that this door does; docs/frames.md names the others that there are. */
const SERVED: ReadonlySet<Extension> = new Set(['refusals', 'positions', 'credentials']);

/** What the broker agrees to of an offer. */
export function agreedOf(payload: Uint8Array): ReadonlySet<Extension> {
  return new Set([...parseExtensions(payload)].filter((extension) => SERVED.has(extension)));
}
