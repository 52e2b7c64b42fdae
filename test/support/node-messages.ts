import { digestOf } from '../../internal/cluster/meta.ts';
import { messagesPacket, PacketKind } from '../../internal/doors/links/packets.ts';
import { encodeRetained } from '../../internal/persistence/session-records.ts';
import { encodeSharedWill } from '../../internal/persistence/shared-will-record.ts';

/*
 * One message of each kind that the nodes of a cluster send one another or keep, as none of them would send it: they are about a
 * topic, a group and clients that nobody else has.
 */

/** A message that is JSON, with what lies around that. */
export interface JsonMessage {
  readonly subject: string;
  readonly value: object;
  /** Its bytes with another text in the place of the JSON. */
  bytesOf(json: string): Uint8Array;
  /** The headers, without those of JetStream. */
  readonly fields?: Readonly<Record<string, string>>;
}

const NODE_STATUS = {
  ...{ version: '1.0.0', host: 'h', startedAtMs: 1, clients: 0, shards: 0 },
  listeners: [{ door: 'frames', url: 'tcp://127.0.0.1:1' }],
};
const CLAIM = { clientId: 'foreign', user: 'u', number: 1 };
/** By the kind of the packet. */
const LINK_PACKETS: readonly (readonly [number, object])[] = [
  [PacketKind.interest, { version: 2, since: 1, added: ['foreign/a'], removed: ['foreign/b'] }],
  [PacketKind.interest, { added: ['foreign/a'], removed: [], part: 0 }],
  [PacketKind.interest, { version: 2, added: ['foreign/a'], removed: [], parts: 0 }],
  [PacketKind.beat, { sent: 0, oldest: 1, overdue: [1], version: 1, claims: 1, status: NODE_STATUS }],
  [PacketKind.known, { version: 1 }],
  [PacketKind.claims, { claims: [CLAIM], since: 1, version: 2 }],
  [PacketKind.refusal, CLAIM],
  [PacketKind.missing, { first: 1, last: 2 }],
];
/** What is said of a message that a link carries as values. */
const ROUTED = {
  ...{ topic: 'elsewhere/foreign', clientId: 'foreign', user: 'u', qos: 1, retain: false },
  ...{ expiresAtMs: 4_000_000_000_000, group: '$share/foreign/foreign/#', isLastCopy: true, offset: 1 },
  properties: {
    ...{ payloadFormatIndicator: 1, contentType: 't', responseTopic: 'r', correlationData: 'AAAA' },
    userProperties: [['a', 'b']],
  },
  readFrom: { log: 'foreign', logId: 'AAAAAAAAAAAAAAAAAAAAAA==', partition: 0 },
};
const HEAD = {
  ...{ partition: 0, byteLength: 4, count: 1, maxTimestamp: 1, isPublished: false, baseOffset: 0 },
  producer: { id: 1, epoch: 0, firstSequence: 0 },
  numbered: { id: '-5', runs: [{ first: 1, count: 1 }], after: 1 },
};
const TOPIC = {
  ...{
    name: 'foreign',
    topicId: 'AAAAAAAAAAAAAAAAAAAAAA==',
    configs: { 'retention.ms': '1' },
    createdAtMs: 1,
  },
  ...{ partitions: [900_000], gone: [900_001], by: '900.1' },
};
const COMMIT = {
  ...{ group: 'foreign', topic: 'foreign', partition: 0, offset: 1, leaderEpoch: 0, metadata: 'm' },
  ...{ committedAtMs: 1, of: { id: 'AAAAAAAAAAAAAAAAAAAAAA==', sequence: 1 } },
};

const bytes = (json: string) => Buffer.from(json);
const withLength = (part: Uint8Array) => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(part.length);
  return Buffer.concat([length, part]);
};
const packet = (kind: number, ...parts: Uint8Array[]) => Buffer.concat([Buffer.of(kind), ...parts]);

/** A packet of messages with one section. */
function messages(kind: number, section: Uint8Array): Uint8Array {
  return messagesPacket(1, [{ kind, bytes: section }]);
}

/** What nodes send to one of them, or to all. @param from whom it seems to come from. */
export function sentMessages(node: number, from: number): JsonMessage[] {
  const live = `live.${node}.${from}.1.0.1`;
  const routed = { subject: live, value: ROUTED };
  return [
    {
      subject: 'beat',
      value: {
        node: 900,
        beat: 1,
        self: { kafka: { host: 'h', port: 1, brokerId: 2 } },
        isLeaving: true,
        isGone: true,
      },
      bytesOf: bytes,
    },
    { subject: `node.${node}.delete`, value: { partition: 900_000, offset: 0 }, bytesOf: bytes },
    {
      ...{ subject: `node.${node}.forward`, value: [HEAD] },
      bytesOf: (json) => Buffer.concat([withLength(bytes(json)), Buffer.alloc(4)]),
    },
    ...LINK_PACKETS.map(([kind, value]) => ({
      ...{ subject: live, value },
      bytesOf: (json: string) => packet(kind, bytes(json)),
    })),
    {
      ...routed,
      bytesOf: (json) => messages(2, Buffer.concat([withLength(bytes(json)), withLength(bytes('x'))])),
    },
  ];
}

/** What they keep in streams. */
export function keptMessages(): JsonMessage[] {
  const [group, topic] = [digestOf('foreign'), digestOf('foreign')];
  const fields = { T: '1,1,1' };
  return [
    { subject: `meta.t.${topic}`, value: TOPIC, bytesOf: bytes },
    { subject: `0.g.${group}.${topic}.0`, value: COMMIT, bytesOf: bytes, fields },
    { subject: `0.h.${group}`, value: { group: 'foreign', members: 'AAAA' }, bytesOf: bytes, fields },
  ];
}

/** What they answer to `forward` and `delete`. */
export const ANSWERS: readonly object[] = [
  [{ offset: 1 }],
  [{ code: 'not-leader', message: 'm' }],
  { code: 'not-leader', message: 'm' },
];

/** Bytes that are no message of their kind, without JSON in them. */
export interface WrongBytes {
  readonly subject: string;
  readonly bytes: Uint8Array;
  readonly fields?: Readonly<Record<string, string>>;
}

/** A frame that publishes to a topic. */
function frame(topic: string, type = 2): Buffer {
  return Buffer.from(
    `${String.fromCharCode(type)}\0${String.fromCharCode(topic.length)}${topic}\0\0\0\x01x\0\0`,
    'latin1',
  );
}

/** Of packets of messages: sections that end in a frame, of another kind, or with frames that publish nothing. */
export function wrongPackets(node: number, from: number): WrongBytes[] {
  const whole = frame('watched/foreign');
  const sections = [
    ...[1, 3, 9, whole.length - 1].map((length) => messages(1, whole.subarray(0, length))),
    ...[0, 3, 255].map((kind) => messages(kind, whole)),
    ...[0, 3, 9, 15, 0x12, 0xf2].map((type) => messages(1, frame('watched/foreign', type))),
    ...['', 'a/#', '$SYS/foreign', 'a\0b', 'a\xff'].map((topic) => messages(1, frame(topic))),
    ...[0, 3, 100].map((length) => messages(2, Buffer.alloc(length, 0xff))),
    packet(PacketKind.taken),
    packet(PacketKind.taken, Buffer.alloc(3)),
  ];
  const parts = ['1.0.0', '1.0.-1', '1.0.1e999', '1.0.999999999', '1.-1.2', '1.0.x', '1.0.0.0'];
  return [
    ...sections.map((bytes) => ({ subject: `live.${node}.${from}.1.0.1`, bytes })),
    ...parts.map((place) => ({ subject: `live.${node}.${from}.${place}`, bytes: Buffer.of(PacketKind.ask) })),
    ...['-1', '1e999', '0x10', '9007199254740993', ''].map((text) => ({
      ...{ subject: `node.${node}.topics`, bytes: Buffer.from(text) },
    })),
  ];
}

const BATCH = '1,1,1,0,0,1,1,1,0,10';
const BATCH_TIMES = [6, 7];
const FLOOR = '1,1,1,5,5,1,0,0';
const FLOOR_TIMES = [5];
/** What stands for a number in no message of a broker. */
const NO_NUMBERS = ['', 'x', '-1', '0.5', 'NaN', '1e999', '9007199254740993'];

/** What is known of messages of a shard without their bodies: with a field too few, or one that no broker writes. */
export function wrongFacts(): WrongBytes[] {
  // A batch may have records without a time, and then -1 is the largest one.
  const wrong = (subject: string, text: string, times: readonly number[] = []) => {
    const fields = text.split(',');
    const others = fields.flatMap((_, at) =>
      NO_NUMBERS.filter((other) => other !== '-1' || !times.includes(at)).map((other) =>
        fields.with(at, other).join(','),
      ),
    );
    const texts = [...fields.keys()].map((length) => fields.slice(0, length).join(','));
    return [...texts, ...others].map((T) => ({ subject, bytes: Buffer.alloc(0), fields: { T } }));
  };
  return [
    ...wrong('0.m', '1,1,0,900'),
    ...wrong('0.l.8.-', BATCH, BATCH_TIMES),
    ...wrong('0.l.8.-', `${BATCH.replace('1', '2')},2`, BATCH_TIMES),
    ...wrong('0.f.900000', FLOOR, FLOOR_TIMES),
    ...wrong('0.d.900000', '1,1,1'),
    ...wrong('0.h.foreign', '1,1,1'),
    ...[
      ['0.l.x.-', BATCH],
      ['0.l.-8.-', BATCH],
      ['0.l.8.x', BATCH],
      ['0.l.8', BATCH],
      ['0.f.900000', '1,1,1,5,3,1,0,0'],
      ['0.f.900000', '1,1,1,0,0,1,5,3'],
      ['0.f', FLOOR],
      ['0.d.x', '1,1,1'],
      ['0.g.a.b.0', '1,1,1'],
      ['0.h.a', '1,1,1'],
      ['0.unknown', '1,1,1'],
    ].map(([subject, T]) => ({ subject: subject!, bytes: Buffer.alloc(0), fields: { T: T! } })),
    { subject: '0.l.8.7', bytes: Buffer.alloc(10), fields: { T: BATCH, P: '%%%' } },
  ];
}

/** An entry of a table, with the length of its key. */
function entry(key: string, value: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.of(1), withLength(Buffer.from(key)), value]);
}

/** Entries of tables: under the digest of another key, of a key that nobody has, and values that are cut off. */
export function wrongEntries(): WrongBytes[] {
  const message = { topic: 'foreign', payload: Buffer.from('x'), clientId: 'foreign' };
  const retained = encodeRetained(message);
  const will = encodeSharedWill({
    by: 900,
    isTaken: false,
    will: { message, dueAtMs: 1, delayMs: 0, expiryMs: undefined },
  });
  const values = (value: Uint8Array) =>
    [0, 1, 5, 12, value.length - 3].map((length) => value.subarray(0, length));
  return [
    ...values(retained).map((value) => ({
      subject: `shared.r.${digestOf('foreign')}`,
      bytes: entry('foreign', value),
    })),
    { subject: `shared.r.${digestOf('foreign')}`, bytes: entry('another', retained) },
    ...['a/#', '$SYS/foreign', ''].map((topic) => ({
      ...{
        subject: `shared.r.${digestOf(topic)}`,
        bytes: entry(topic, encodeRetained({ ...message, topic })),
      },
    })),
    { subject: `shared.r.${digestOf('watched/other')}`, bytes: entry('watched/other', retained) },
    ...values(will).map((value) => ({
      subject: `shared.w.${digestOf('900/c')}`,
      bytes: entry('900/c', value),
    })),
    ...['x/c', '-1/c', '/c', 'c', '1e999/c'].map((key) => ({
      subject: `shared.w.${digestOf(key)}`,
      bytes: entry(key, will),
    })),
    { subject: `shared.a.${digestOf('foreign')}`, bytes: entry('foreign', Buffer.of(3, 0)) },
    // A record of a topic that is there, at the place of another one: that it is deleted.
    { subject: `meta.t.${digestOf('foreign')}`, bytes: Buffer.from('{"name":"kafka","by":"900.1"}') },
  ];
}
