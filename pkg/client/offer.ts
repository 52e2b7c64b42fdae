import { type Extension, formatExtensions } from '../../internal/protocol/frame/extensions.ts';
import { encodeFrame, FrameBit, FrameType } from '../../internal/protocol/frame/frame.ts';
import { formatOffer } from '../../internal/protocol/frame/offer.ts';
import { payloadWith } from '../../internal/protocol/frame/properties.ts';
import type { Agreement } from './agreement.ts';
import { bytesOf } from './checks.ts';
import { UnsupportedError } from './errors.ts';
import type { Settings, WillOptions } from './options.ts';
import type { Promised } from './promised.ts';
import { messageParts } from './publish-options.ts';

/** What this client can agree on with a broker. One that knows none of it passes it over. */
const ALWAYS: readonly Extension[] = [
  ...(['refusals', 'positions', 'acks', 'once', 'delivery', 'retain'] as const),
  ...(['headers', 'expiry', 'options', 'offsets'] as const),
];

/** What a connection offers, without credentials. */
export function offerOf(
  { session, will, window }: Settings,
  { producer, acknowledged }: Pick<Promised, 'producer' | 'acknowledged'>,
  { isFirst, canPause }: { isFirst: boolean; canPause: boolean },
): string {
  const extensions = [...ALWAYS];
  if (!canPause) extensions.push('flow');
  if (session !== undefined) extensions.push('session');
  if (will !== undefined) extensions.push('will');
  const words = formatOffer({
    sessionExpiryMs: session?.expiresIn,
    // What came in between is wanted after a connection that broke off.
    startsClean: isFirst && session?.clean === true,
    ...{ window, producer, acknowledged },
    will: will && willFrame(will),
    willDelayMs: will?.delay,
  });
  return `${formatExtensions(extensions)} ${words}`;
}

/** What is wrong with a broker that does less than the options of a connection need. */
export function refusedOptions(
  { session, will }: Settings,
  agreement: Agreement,
): UnsupportedError | undefined {
  if (session !== undefined && !agreement.has('session'))
    return new UnsupportedError('session', 'the option session');
  if (will === undefined) return undefined;
  const missing = agreement.missing(['will', ...willParts(will).needs]);
  return missing && new UnsupportedError(missing, 'the option will');
}

function willFrame(will: WillOptions): Uint8Array {
  const { properties, qos } = willParts(will);
  const payload = bytesOf(will.payload ?? '');
  const type =
    FrameType.publish |
    (qos === 0 ? 0 : FrameBit.acknowledged) |
    (properties === undefined ? 0 : FrameBit.properties);
  return encodeFrame(
    type,
    will.topic,
    properties === undefined ? payload : payloadWith(properties, payload),
    '',
  );
}

function willParts({ qos, retain, headers, contentType }: WillOptions) {
  return messageParts({ qos, retain, headers, contentType });
}
