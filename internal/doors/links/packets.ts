import type { NodeStatus } from '../../admin/nodes-view.ts';
import type {
  LogPart,
  Message,
  MessageProperties,
  NewMessage,
  Qos,
} from '../../broker/delivery/publication.ts';
import {
  isCount,
  isFlag,
  isInteger,
  isNumber,
  isText,
  isTopicId,
  jsonAs,
  listOf,
  objectOf,
  optional,
  type Shape,
  within,
} from '../../lib/shape.ts';
import { filterProblem, topicNameProblem } from '../../topic.ts';

/** What nodes send one another: the kind in the first byte, then what belongs to it. */
export const PacketKind = {
  interest: 1,
  beat: 2,
  ask: 3,
  messages: 4,
  taken: 5,
  /** A version of filters is known. */
  known: 6,
  claims: 7,
  askClaims: 8,
  refusal: 9,
  /** Packets of messages did not arrive. */
  missing: 10,
} as const;

/** What a node says each second, so that whoever missed something asks for all of it. */
export interface BeatPacket {
  /** The number of the last packet of messages before this. */
  sent: number;
  /** The number of the first one that it waits for, or of the next that it sends. */
  oldest: number;
  /** The numbers of those that it has waited for since a beat before: what was said of them is lost, or they are not taken yet. */
  overdue: readonly number[];
  /** Of its filters. */
  version: number;
  /** Of its clients. */
  claims: number;
  /** What it says of itself. */
  status: NodeStatus;
}

/** A client that is connected to a node. */
export interface Claim {
  readonly clientId: string;
  readonly user: string | undefined;
  /** Who connected later has a larger one. */
  readonly number: number;
}

/** Clients of a node: those that connected since a version, or some of all. */
export interface ClaimsPacket {
  claims: readonly Claim[];
  since?: number;
  /** There with the last packet of what belongs together. */
  version?: number;
}

/** Which filters a node has subscribers of: all of them, or what changed since a version. */
export interface InterestPacket {
  /** There with the last packet of all, and with each change. */
  version?: number;
  /** Undefined where these are all. */
  since?: number | undefined;
  /** Of all, where more follow: the number of this part. */
  part?: number;
  /** With the last of all: how many parts were before it. */
  parts?: number;
  added: string[];
  removed: string[];
}

/** A part of a packet of messages: plain frames one behind the other, or messages with all that is said of them. */
export const SectionKind = { frames: 1, values: 2 } as const;
export interface Section {
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** A message, and the shared filter whose turn it is. */
export interface RoutedMessage {
  readonly message: Message;
  readonly group: string | undefined;
}

const SEQUENCE_AT = 1;
/** Four would be used up in a week of some thousand packets a second. */
const SEQUENCE_BYTES = 6;
const SECTIONS_AT = SEQUENCE_AT + SEQUENCE_BYTES;
/** The overhead of a section. */
export const SECTION_HEAD_BYTES = 5;
const LENGTH_BYTES = 4;

export function jsonPacket(kind: number, value: unknown): Uint8Array {
  return Buffer.concat([Buffer.of(kind), Buffer.from(JSON.stringify(value))]);
}

/** A filter of clients: what a broker tells of itself stays with it. */
const isFilter = (value: unknown): value is string => isText(value) && filterProblem(value) === undefined;
/** Far beyond the milliseconds since 1970, with room for those that come behind it. */
const isClaimNumber = within(0, 2 ** 52);

const isStatus = objectOf<NodeStatus>({
  ...{ version: isText, host: optional(isText), startedAtMs: isInteger, clients: isCount, shards: isCount },
  listeners: listOf(objectOf<NodeStatus['listeners'][number]>({ door: isText, url: isText })),
});
const isBeat = objectOf<BeatPacket>({
  ...{
    sent: isCount,
    oldest: isCount,
    overdue: listOf(isCount),
    version: isCount,
    claims: isCount,
  },
  status: isStatus,
});
const isInterest = objectOf<InterestPacket>({
  ...{
    version: optional(isCount),
    since: optional(isCount),
    part: optional(isCount),
    parts: optional(isCount),
  },
  ...{ added: listOf(isFilter), removed: listOf(isText) },
});
const isClaim = objectOf<Claim>({ clientId: isText, user: optional(isText), number: isClaimNumber });
const isClaims = objectOf<ClaimsPacket>({
  ...{ claims: listOf(isClaim), since: optional(isCount), version: optional(isCount) },
});
const isMissing = objectOf<MissingPacket>({ first: isCount, last: isCount });
const isKnown = objectOf<{ version: number }>({ version: isCount });

/** A packet as another node has sent it. */
export type Packet =
  | { readonly kind: typeof PacketKind.interest; readonly interest: InterestPacket }
  | { readonly kind: typeof PacketKind.beat; readonly beat: BeatPacket }
  | { readonly kind: typeof PacketKind.ask | typeof PacketKind.askClaims }
  | { readonly kind: typeof PacketKind.messages; readonly messages: MessagesPacket }
  | { readonly kind: typeof PacketKind.taken; readonly sequence: number }
  | { readonly kind: typeof PacketKind.known; readonly version: number }
  | { readonly kind: typeof PacketKind.claims; readonly claims: ClaimsPacket }
  | { readonly kind: typeof PacketKind.refusal; readonly claim: Claim }
  | { readonly kind: typeof PacketKind.missing; readonly missing: MissingPacket };

/** @throws SyntaxError, TypeError, RangeError for what is none. */
export function readPacket(bytes: Uint8Array): Packet {
  const kind = bytes[0];
  const json = bytes.subarray(1);
  switch (kind) {
    case PacketKind.interest:
      return { kind, interest: jsonAs(isInterest, json, 'interest in filters') };
    case PacketKind.beat:
      return { kind, beat: jsonAs(isBeat, json, 'a beat of a link') };
    case PacketKind.ask:
    case PacketKind.askClaims:
      return { kind };
    case PacketKind.messages:
      return { kind, messages: readMessages(bytes) };
    case PacketKind.taken:
      return { kind, sequence: readTaken(bytes) };
    case PacketKind.known:
      return { kind, version: jsonAs(isKnown, json, 'a version of filters').version };
    case PacketKind.claims:
      return { kind, claims: jsonAs(isClaims, json, 'claims of clients') };
    case PacketKind.refusal:
      return { kind, claim: jsonAs(isClaim, json, 'a claim of a client') };
    case PacketKind.missing:
      return { kind, missing: jsonAs(isMissing, json, 'numbers of packets') };
    default:
      throw new RangeError('a packet is of no kind that is known');
  }
}

/**
 * Messages, with a number by which they are acknowledged: whoever gets it sees which packet before it is missing.
 *
 *     0      1          7
 *     +------+----------+------+--------+-------+---
 *     | Kind | Sequence | Kind | Length | Bytes | …
 *     |  1   |    6     |  1   |   4    |       |
 *     +------+----------+------+--------+-------+---
 */
export function messagesPacket(sequence: number, sections: readonly Section[]): Uint8Array {
  const size = sections.reduce((sum, { bytes }) => sum + SECTION_HEAD_BYTES + bytes.length, SECTIONS_AT);
  const packet = Buffer.allocUnsafe(size);
  packet[0] = PacketKind.messages;
  packet.writeUIntBE(sequence, SEQUENCE_AT, SEQUENCE_BYTES);
  let at = SECTIONS_AT;
  for (const { kind, bytes } of sections) {
    packet[at] = kind;
    packet.writeUInt32BE(bytes.length, at + 1);
    packet.set(bytes, at + SECTION_HEAD_BYTES);
    at += SECTION_HEAD_BYTES + bytes.length;
  }
  return packet;
}

export interface MessagesPacket {
  readonly sequence: number;
  readonly sections: readonly Section[];
}

/** @throws RangeError. */
export function readMessages(bytes: Uint8Array): MessagesPacket {
  const packet = bufferOf(bytes);
  const sections: Section[] = [];
  let at = SECTIONS_AT;
  while (at < packet.length) {
    const start = at + SECTION_HEAD_BYTES;
    const end = start + packet.readUInt32BE(at + 1);
    if (end > packet.length) throw new RangeError('a section ends behind its packet');
    const kind = packet[at]!;
    if (kind !== SectionKind.frames && kind !== SectionKind.values)
      throw new RangeError('a section is of no kind that is known');
    sections.push({ kind, bytes: bytes.subarray(start, end) });
    at = end;
  }
  return { sequence: packet.readUIntBE(SEQUENCE_AT, SEQUENCE_BYTES), sections };
}

export function takenPacket(sequence: number): Uint8Array {
  const packet = Buffer.alloc(SECTIONS_AT);
  packet[0] = PacketKind.taken;
  packet.writeUIntBE(sequence, SEQUENCE_AT, SEQUENCE_BYTES);
  return packet;
}

/** The numbers of packets of messages that did not arrive. */
export interface MissingPacket {
  first: number;
  last: number;
}

/** @throws RangeError. */
function readTaken(bytes: Uint8Array): number {
  return bufferOf(bytes).readUIntBE(SEQUENCE_AT, SEQUENCE_BYTES);
}

/** Messages as values: for each the length of what is said of it, that as JSON, the length of its payload, and that. */
export function encodeValues(messages: readonly Message[], group?: string): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { payload, ...said } of messages) {
    const { properties, readFrom } = said;
    const head = Buffer.from(
      JSON.stringify({
        ...said,
        ...{
          group,
          properties: properties && { ...properties, correlationData: text(properties.correlationData) },
        },
        readFrom: readFrom && { ...readFrom, logId: text(readFrom.logId) },
      }),
    );
    parts.push(lengthOf(head), head, lengthOf(payload), payload);
  }
  return Buffer.concat(parts);
}

/** What is said of a message, as JSON has it. */
interface Said extends Omit<Message, 'payload' | 'properties' | 'readFrom'> {
  readonly group?: string | undefined;
  readonly properties?:
    | (Omit<MessageProperties, 'correlationData'> & { correlationData?: string })
    | undefined;
  readonly readFrom?: (Omit<LogPart, 'logId'> & { readonly logId: string }) | undefined;
}

const isPair = (value: unknown): value is [string, string] =>
  Array.isArray(value) && value.length === 2 && value.every(isText);
const isSaid = objectOf<Said>({
  topic: (value): value is string => isText(value) && topicNameProblem(value) === undefined,
  ...{
    clientId: isText,
    user: optional(isText),
    qos: optional(within(0, 2) as Shape<Qos>),
    retain: optional(isFlag),
  },
  ...{ expiresAtMs: optional(isNumber), isLastCopy: optional(isFlag), offset: optional(isCount) },
  group: optional(isFilter),
  properties: optional(
    objectOf<NonNullable<Said['properties']>>({
      ...{ payloadFormatIndicator: optional(within(0, 1)), contentType: optional(isText) },
      ...{
        responseTopic: optional(isText),
        correlationData: optional(isText),
        userProperties: optional(listOf(isPair)),
      },
    }),
  ),
  readFrom: optional(
    objectOf<NonNullable<Said['readFrom']>>({ log: isText, logId: isTopicId, partition: isCount }),
  ),
});

/** @throws RangeError, SyntaxError, TypeError. */
export function decodeValues(bytes: Uint8Array): RoutedMessage[] {
  const messages: RoutedMessage[] = [];
  const section = bufferOf(bytes);
  let at = 0;
  const next = () => {
    const start = at + LENGTH_BYTES;
    at = start + section.readUInt32BE(at);
    if (at > section.length) throw new RangeError('a message ends behind its section');
    return section.subarray(start, at);
  };
  while (at < section.length) {
    const { group, properties, readFrom, ...said } = jsonAs(isSaid, next(), 'what is said of a message');
    const message: NewMessage = { ...said, payload: next() };
    if (properties !== undefined) {
      message.properties = { ...properties, correlationData: bytesOf(properties.correlationData) };
    }
    if (readFrom !== undefined) message.readFrom = { ...readFrom, logId: bytesOf(readFrom.logId)! };
    messages.push({ message, group });
  }
  return messages;
}

function lengthOf({ length }: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(LENGTH_BYTES);
  bytes.writeUInt32BE(length);
  return bytes;
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString('base64');
}

function bytesOf(base64: string | undefined): Uint8Array | undefined {
  return base64 === undefined ? undefined : new Uint8Array(Buffer.from(base64, 'base64'));
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}
