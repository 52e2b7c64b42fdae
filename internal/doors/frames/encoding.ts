import type { Encoding, Message } from '../../broker/delivery/publication.ts';
import { FrameDecoder } from '../../protocol/frame/decoder.ts';
import { encodeFrame, FrameType, MAX_PAYLOAD_BYTES } from '../../protocol/frame/frame.ts';

/** Messages as PUBLISH frames, one behind the other. */
export const frameEncoding: Encoding = {
  name: 'frames',

  decode(run) {
    const messages: Message[] = [];
    for (const { topic, payload, clientId } of new FrameDecoder(MAX_PAYLOAD_BYTES).frames(run)) {
      messages.push({ topic, payload, clientId });
    }
    return messages;
  },

  encode(messages) {
    return Buffer.concat(messages.map(encodeMessage));
  },
};

/** A message as a PUBLISH frame. */
export function encodeMessage({ topic, payload, clientId }: Message): Uint8Array {
  return encodeFrame(FrameType.publish, topic, payload, clientId);
}
