import type { BrokerError } from '../../../errors.ts';
import { claimedVersion } from '../../../protocol/mqtt/decode-connect.ts';
import { encodePacket } from '../../../protocol/mqtt/encode.ts';
import { PacketType } from '../../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES, type Properties } from '../../../protocol/mqtt/properties.ts';
import { limitsOf } from '../negotiate.ts';
import { reasonCodeOf, returnCodeOf } from '../refusals.ts';
import { encodeWithReason } from './answers.ts';

/**
 * The CONNACK for a CONNECT that is refused, in the words of the version that it claims, whatever else is wrong with it;
 * undefined where that version closes without one, no version can be told, or the client takes no packet of its size.
 *
 * @param body the CONNECT behind its fixed header.
 * @param properties those of the CONNECT, where it could be read.
 */
export function connectAnswer(
  reason: BrokerError,
  body: Uint8Array,
  properties: Properties = NO_PROPERTIES,
): Uint8Array | undefined {
  const version = claimedVersion(body);
  if (version === undefined) return undefined;
  const connack = { type: PacketType.connack, sessionPresent: false, properties: NO_PROPERTIES };
  if (version === 5) {
    const refusal = { ...connack, reasonCode: reasonCodeOf(reason, 'connack') };
    const limits = limitsOf(properties);
    const bytes = encodeWithReason(refusal, reason.message, limits);
    return bytes.length <= limits.maximumPacketSizeBytes ? bytes : undefined;
  }
  const reasonCode = returnCodeOf(reason);
  return reasonCode === undefined ? undefined : encodePacket({ ...connack, reasonCode }, version);
}
