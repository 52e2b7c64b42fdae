import { checkPublishable } from '../../broker/routing/publishable-topic.ts';
import type { Will } from '../../broker/sessions/will.ts';
import type { Clock } from '../../lib/clock.ts';
import { FrameCursor } from '../../protocol/frame/cursor.ts';
import { type Extension, parseExtensions } from '../../protocol/frame/extensions.ts';
import { type Frame, FrameBit, FrameError, FrameType } from '../../protocol/frame/frame.ts';
import { type Offer, parseOffer } from '../../protocol/frame/offer.ts';
import { messageOf, permittedProperties, readPermitted } from './message-properties.ts';

/** The extensions that this door does; docs/frames.md names the others that there are. */
const SERVED: ReadonlySet<Extension> = new Set([
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
]);
/** The extensions of which a client has a session that the broker knows by its id, from its CONNECT on. */
const OF_SESSIONS: readonly Extension[] = ['session', 'will'];

/** What the broker and a client agree on. */
export interface Agreement {
  readonly extensions: ReadonlySet<Extension>;
  /** The words behind those. */
  readonly offer: Offer;
  /** The properties that its messages and its subscriptions may have. */
  readonly properties: ReadonlySet<number>;
  /** Whether its session is from CONNECT on one that the broker knows by the client's id. */
  readonly hasSession: boolean;
  /** Whether its session is such a one from the first subscription on that it acknowledges. */
  readonly mayOpenSession: boolean;
}

/** What comes of the payload of a CONNECT. @throws FrameError `meaningless`. */
export function agreementOf(payload: Uint8Array): Agreement {
  const extensions = new Set([...parseExtensions(payload)].filter((extension) => SERVED.has(extension)));
  const properties = permittedProperties(extensions);
  const offer = parseOffer(payload);
  if (extensions.has('once') && offer.producer === undefined) {
    throw new FrameError('meaningless', 'offer', 'has no producer');
  }
  return {
    extensions,
    properties,
    offer,
    hasSession: OF_SESSIONS.some((extension) => extensions.has(extension)),
    mayOpenSession: extensions.has('delivery'),
  };
}

/**
 * The will in an offer; undefined where there is none.
 *
 * @throws FrameError; BrokerError `invalid-topic`, `reserved-topic`.
 */
export function willOf(agreement: Agreement, clientId: string, clock: Clock): Will | undefined {
  const { will, willDelayMs = 0 } = agreement.offer;
  if (will === undefined || !agreement.extensions.has('will')) return undefined;
  const frame = publishIn(will);
  const { properties, payload } = readPermitted(frame, agreement.properties);
  checkPublishable(frame.topic, 'will topic');
  const qos = (frame.type & FrameBit.acknowledged) === 0 ? 0 : 1;
  // Its time to live begins when it is published.
  const { expiresAtMs: _, ...message } = messageOf({ ...frame, payload, clientId }, properties, qos, clock);
  return { message, delayMs: willDelayMs, expiryMs: properties.expiresInMs };
}

/** @throws FrameError where it is not one PUBLISH and nothing else. */
function publishIn(bytes: Uint8Array): Frame {
  const cursor = new FrameCursor(bytes.length);
  const isWhole = cursor.read(bytes, 0, bytes.length) && cursor.end === bytes.length;
  const type = bytes[0]! & ~(FrameBit.acknowledged | FrameBit.properties);
  if (!isWhole || type !== FrameType.publish) {
    throw new FrameError('meaningless', 'offer', 'has a will that is not a PUBLISH');
  }
  return cursor.frame(bytes);
}
