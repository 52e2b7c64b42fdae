import { parseAck, parseNumberedRefusal } from '../../internal/protocol/frame/acknowledgements.ts';
import { encodeFrame, type Frame, FrameBit, FrameType } from '../../internal/protocol/frame/frame.ts';
import {
  type FrameProperties,
  payloadWith,
  readProperties,
} from '../../internal/protocol/frame/properties.ts';

/** Frames of the extensions, for tests: written from what they say, and shown as short text. */

const { acknowledged, once, properties } = FrameBit;

export function connect(clientId: string, offer = ''): Uint8Array {
  return encodeFrame(FrameType.connect, '', offer, clientId);
}

export interface PublishOptions extends FrameProperties {
  /** The bits that say how it is counted. */
  bits?: number;
}

export function publish(
  topic: string,
  payload: string,
  options: PublishOptions = {},
  clientId = 'me',
): Uint8Array {
  const { bits = 0, ...said } = options;
  const message = Buffer.from(payload);
  const hasBlock = Object.keys(said).length > 0;
  const type = FrameType.publish | bits | (hasBlock ? properties : 0);
  return encodeFrame(type, topic, hasBlock ? payloadWith(said, message) : message, clientId);
}

export function acked(topic: string, payload: string, said: FrameProperties = {}): Uint8Array {
  return publish(topic, payload, { bits: acknowledged, ...said });
}

export function counted(topic: string, payload: string, said: FrameProperties = {}): Uint8Array {
  return publish(topic, payload, { bits: once, ...said });
}

export function subscribe(filter: string, said: FrameProperties = {}, clientId = 'me'): Uint8Array {
  const hasBlock = Object.keys(said).length > 0;
  if (!hasBlock) return encodeFrame(FrameType.subscribe, filter, '', clientId);
  return encodeFrame(
    FrameType.subscribe | properties,
    filter,
    payloadWith(said, new Uint8Array(0)),
    clientId,
  );
}

const NAMES = new Map<number, string>([
  [FrameType.connack, 'CONNACK'],
  [FrameType.publish, 'PUBLISH'],
  [FrameType.suback, 'SUBACK'],
  [FrameType.unsuback, 'UNSUBACK'],
  [FrameType.pong, 'PONG'],
  [FrameType.disconnect, 'DISCONNECT'],
  [FrameType.publishRefused, 'REFUSED'],
  [FrameType.subscribeRefused, 'SUBSCRIBEREFUSED'],
  [FrameType.acknowledge, 'ACK'],
  [FrameType.replayed, 'REPLAYED'],
  [FrameType.position, 'POSITION'],
]);

/** A frame as `PUBLISH+ a hi {"retain":true}`: `+` is counted, `*` counts once. */
export function told({ type, topic, payload }: Frame): string {
  const mark = (type & acknowledged ? '+' : '') + (type & once ? '*' : '');
  const name = (NAMES.get(type & 0x0f) ?? String(type)) + mark;
  if ((type & 0x0f) === FrameType.acknowledge) return `${name} ${parseAck(payload).upTo}`;
  if ((type & 0x0f) === FrameType.publishRefused && mark !== '') {
    const { number, reason } = parseNumberedRefusal(payload);
    return `${name} ${number} ${topic} ${reason}`;
  }
  const read = type & properties ? readProperties(payload, 0, payload.length) : undefined;
  const text = Buffer.from(payload.subarray(read?.messageStart ?? 0)).toString();
  const said = read === undefined ? '' : ` ${JSON.stringify(read.properties)}`;
  return `${[name, topic, text].filter((part) => part !== '').join(' ')}${said}`;
}
