import type { DelayedMessage } from '../broker/delayed-messages.ts';
import type { LogPart, Message, NewMessage, Qos } from '../broker/delivery/publication.ts';
import { absentOwner } from '../broker/sessions/absent-owner.ts';
import type { NumberingRecord } from '../broker/sessions/numbering.ts';
import type { Outgoing, OutgoingStep } from '../broker/sessions/outgoing.ts';
import type { SessionRecord } from '../broker/sessions/session-store.ts';
import type { Subscription } from '../broker/sessions/subscription.ts';
import { type Properties, readProperties, writeProperties } from '../protocol/mqtt/properties.ts';
import { FieldReader } from '../protocol/mqtt/reader.ts';
import { FieldWriter } from '../protocol/mqtt/writer.ts';
import { bodyOf, VERSION_BYTE, versionOf } from './entry-version.ts';

/**
 * Sessions and their messages as the store keeps them.
 *
 * The rule for a change of one of these layouts: it gets another kind of key (entry-keys.ts) or a higher version
 * (entry-version.ts), whose reader knows both; only the new one is written; what is read in the old one is written anew when
 * it changes next, or moved at once where its key changes. Fields are never given another meaning. A layout that an older
 * tinymq would take for something else raises the store's own format as well.
 *
 *     session            JSON
 *     retained           [user][message]; in version 1 without the user
 *     message            [flags:1][expires at, in ms: 8, 0 for never][topic][client id][properties][place, where a flag says so][payload]
 *     place              [partition:4][offset:8][id of the log:16][log]
 *     outgoing           [flags:1][packet id:2][shared filter][count:2][identifiers:4 each][message number:8 | message]
 *     outgoing's state   [flags:1][packet id:2]
 *     received           nothing more, or one byte while it is not known whether its log has the message
 *     numbering          [last number:8][used at, in ms:8][name]
 *     delayed            [due at, in ms:8, 0 while that is open][flags:1][expiry, in ms:8][delay, in ms:8][owner][message]
 *     will               the same without its first field; only read, where a version before has left it
 *
 * Each begins with the byte of its version (entry-version.ts), which is not drawn here; a message inside another value has none.
 * Names have their length before them; properties are written as MQTT 5 writes them.
 */

const QOS_BITS = 0x03;
const RETAIN = 0x04;
const RELEASED = 0x08;
/** The message stands elsewhere, because others wait for it too. */
const REFERENCE = 0x10;

/** Of a message that was read from a log. */
const HAS_PLACE = 0x20;

const TWO_32 = 0x1_0000_0000;

export function encodeSession(record: SessionRecord): Uint8Array {
  const { user, groups = [], expiryMs, endedAtMs, subscriptions, owedFilters = [] } = record;
  // JSON has no Infinity; where the broker says how long, nothing is there.
  const lasts = expiryMs === Number.POSITIVE_INFINITY ? null : expiryMs;
  const owed = owedFilters.length > 0 ? owedFilters : undefined;
  const stored = subscriptions.map(({ tag, ...subscription }) => ({ ...subscription, identifier: tag }));
  const json = JSON.stringify({
    user,
    groups: groups.length > 0 ? groups : undefined,
    expiryMs: lasts,
    endedAtMs,
    subscriptions: stored,
    owedFilters: owed,
  });
  return Buffer.concat([VERSION, Buffer.from(json)]);
}

export function decodeSession(clientId: string, bytes: Uint8Array): SessionRecord {
  const {
    user,
    expiryMs,
    subscriptions: stored,
    ...record
  } = JSON.parse(Buffer.from(bodyOf(bytes)).toString()) as {
    user?: string;
    groups?: string[];
    expiryMs?: number | null;
    endedAtMs: number | undefined;
    subscriptions: (Omit<Subscription, 'tag'> & { identifier?: number })[];
    owedFilters?: string[];
  };
  const subscriptions = stored.map(({ identifier: tag, ...subscription }) => ({ ...subscription, tag }));
  const lasts = expiryMs === null ? Number.POSITIVE_INFINITY : expiryMs;
  return { ...record, clientId, user, subscriptions, expiryMs: lasts };
}

export function encodeDelayed({ message, dueAtMs, delayMs, expiryMs, owner }: DelayedMessage): Uint8Array {
  const writer = newWriter();
  writeNumber(writer, dueAtMs ?? 0);
  writer.uint8((expiryMs === undefined ? 0 : HAS_EXPIRY) | (owner === undefined ? 0 : HAS_OWNER));
  writeNumber(writer, expiryMs ?? 0);
  writeNumber(writer, delayMs);
  if (owner !== undefined) writeOwner(writer, owner);
  writeMessage(writer, message);
  return writer.finish();
}

export function decodeDelayed(bytes: Uint8Array): DelayedMessage {
  const reader = newReader(bytes, 'stored delayed message');
  const dueAtMs = readNumber(reader);
  return { ...readDelayed(reader), dueAtMs: dueAtMs === 0 ? undefined : dueAtMs };
}

/** What versions before had of a will. When it is due followed from its session. */
export function decodeWill(bytes: Uint8Array): DelayedMessage {
  return { ...readDelayed(newReader(bytes, 'stored will')), dueAtMs: undefined };
}

function readDelayed(reader: FieldReader): Omit<DelayedMessage, 'dueAtMs'> {
  const flags = reader.uint8('flags');
  const expiryMs = readNumber(reader);
  const delayMs = readNumber(reader);
  const stored = (flags & HAS_OWNER) === 0 ? undefined : readOwner(reader);
  const message = readMessage(reader);
  const owner = stored && absentOwner({ ...stored, clientId: message.clientId });
  return { message, delayMs, expiryMs: (flags & HAS_EXPIRY) === 0 ? undefined : expiryMs, owner };
}

const HAS_EXPIRY = 1;
const HAS_OWNER = 2;

/** An anonymous one has no name. */
function writeOwner(writer: FieldWriter, { user = '', groups }: NonNullable<DelayedMessage['owner']>): void {
  writer.text(user);
  writer.uint16(groups.length);
  for (const group of groups) writer.text(group);
}

function readOwner(reader: FieldReader): { user: string | undefined; groups: string[] } {
  const user = reader.text('user');
  const groups: string[] = [];
  for (let left = reader.uint16('groups'); left > 0; left--) groups.push(reader.text('group'));
  return { user: user === '' ? undefined : user, groups };
}

export function encodeMessage(message: Message): Uint8Array {
  const writer = newWriter();
  writeMessage(writer, message);
  return writer.finish();
}

export function decodeMessage(bytes: Uint8Array): Message {
  return readMessage(newReader(bytes, 'stored message'));
}

/** Who retained it stands before it, empty for a client without a user. */
export function encodeRetained(message: Message): Uint8Array {
  const writer = newWriter();
  writer.text(message.user ?? '');
  writeMessage(writer, message);
  return writer.finish();
}

export function decodeRetained(value: Uint8Array): Message {
  const reader = newReader(value, 'stored retained message');
  const user = versionOf(value) < 2 ? '' : reader.text('user');
  const message = readMessage(reader);
  return user === '' ? message : { ...message, user };
}

/** @param reference the number of its message, where that is kept on its own. */
export function encodeOutgoing(outgoing: Outgoing, reference: number | undefined): Uint8Array {
  const writer = newWriter();
  writeState(writer, outgoing, reference === undefined ? 0 : REFERENCE);
  writer.text(outgoing.shared ?? '');
  writer.uint16(outgoing.tags.length);
  for (const tag of outgoing.tags) writer.uint32(tag);
  if (reference === undefined) writeMessage(writer, outgoing.message);
  else writeNumber(writer, reference);
  return writer.finish();
}

/** @param messageOf the message of a number; undefined where it is not there. */
export function decodeOutgoing(
  bytes: Uint8Array,
  sequence: number,
  messageOf: (reference: number) => Message | undefined,
): { outgoing: Outgoing; reference: number | undefined } | undefined {
  const reader = newReader(bytes, 'stored delivery');
  const flags = reader.uint8('flags');
  const token = reader.uint16('packet id');
  const shared = reader.text('shared filter');
  const tags: number[] = [];
  for (let left = reader.uint16('count'); left > 0; left--) tags.push(reader.uint32('tag'));
  const reference = (flags & REFERENCE) === 0 ? undefined : readNumber(reader);
  const message = reference === undefined ? readMessage(reader) : messageOf(reference);
  if (message === undefined) return undefined;
  const outgoing: Outgoing = {
    message,
    qos: (flags & QOS_BITS) as 1 | 2,
    retain: (flags & RETAIN) !== 0,
    tags,
    shared: shared === '' ? undefined : shared,
    sequence,
    token,
    step: stepOf(flags, token),
  };
  return { outgoing, reference };
}

export function encodeState(outgoing: Outgoing): Uint8Array {
  const writer = newWriter();
  writeState(writer, outgoing, 0);
  return writer.finish();
}

/** Puts a state that was written later into what was read. */
export function applyState(bytes: Uint8Array, outgoing: Outgoing): void {
  const reader = newReader(bytes, 'stored state');
  const flags = reader.uint8('flags');
  outgoing.token = reader.uint16('packet id');
  outgoing.step = stepOf(flags, outgoing.token);
}

function stepOf(flags: number, token: number): OutgoingStep {
  if ((flags & RELEASED) !== 0) return 'received';
  return token === 0 ? 'waits' : 'sent';
}

export function encodeNumbering({ name, seen, usedAtMs }: NumberingRecord): Uint8Array {
  const writer = newWriter();
  writeNumber(writer, seen);
  writeNumber(writer, Math.floor(usedAtMs));
  writer.text(name);
  return writer.finish();
}

export function decodeNumbering(
  owner: Pick<NumberingRecord, 'clientId' | 'user'>,
  bytes: Uint8Array,
): NumberingRecord {
  const reader = newReader(bytes, 'stored numbering');
  const seen = readNumber(reader);
  const usedAtMs = readNumber(reader);
  return { ...owner, name: reader.text('name'), seen, usedAtMs };
}

export function encodeReceived(isKept: boolean): Uint8Array {
  return isKept ? VERSION : Uint8Array.of(VERSION_BYTE, 0);
}

/** Whether the log of a message is known to have it. */
export function decodeReceived(bytes: Uint8Array): boolean {
  return bodyOf(bytes).length === 0;
}

const VERSION = Uint8Array.of(VERSION_BYTE);

function newWriter(): FieldWriter {
  const writer = new FieldWriter();
  writer.uint8(VERSION_BYTE);
  return writer;
}

function newReader(value: Uint8Array, what: string): FieldReader {
  const body = bodyOf(value);
  return new FieldReader(body, 0, body.length, what);
}

function writeState(writer: FieldWriter, { qos, retain, step, token }: Outgoing, more: number): void {
  writer.uint8(qos | (retain ? RETAIN : 0) | (step === 'received' ? RELEASED : 0) | more);
  writer.uint16(token);
}

function writeMessage(writer: FieldWriter, message: Message): void {
  const { readFrom, offset } = message;
  const hasPlace = readFrom !== undefined && offset !== undefined;
  writer.uint8((message.qos ?? 0) | (message.retain ? RETAIN : 0) | (hasPlace ? HAS_PLACE : 0));
  writeNumber(writer, message.expiresAtMs ?? 0);
  writer.text(message.topic);
  writer.text(message.clientId);
  writeProperties(writer, message.properties ?? {});
  if (hasPlace) writePlace(writer, readFrom, offset);
  writer.raw(message.payload);
}

function readMessage(reader: FieldReader): Message {
  const flags = reader.uint8('flags');
  const expiresAtMs = readNumber(reader);
  const topic = reader.text('topic');
  const clientId = reader.text('client id');
  const properties: Properties = readProperties(reader, 'publish');
  const place = (flags & HAS_PLACE) === 0 ? undefined : readPlace(reader);
  const message: NewMessage = {
    topic,
    clientId,
    ...place,
    payload: new Uint8Array(reader.rest()),
    qos: (flags & QOS_BITS) as Qos,
    retain: (flags & RETAIN) !== 0,
  };
  if (expiresAtMs > 0) message.expiresAtMs = expiresAtMs;
  if (Object.keys(properties).length > 0) message.properties = properties;
  return message;
}

function writePlace(writer: FieldWriter, { partition, logId, log }: LogPart, offset: number): void {
  writer.uint32(partition);
  writeNumber(writer, offset);
  writer.raw(logId);
  writer.text(log);
}

function readPlace(reader: FieldReader): Pick<Message, 'readFrom' | 'offset'> {
  const partition = reader.uint32('partition');
  const offset = readNumber(reader);
  const logId = new Uint8Array(LOG_ID_BYTES);
  const view = new DataView(logId.buffer);
  for (let at = 0; at < LOG_ID_BYTES; at += 4) view.setUint32(at, reader.uint32('id of a log'));
  return { readFrom: { partition, logId, log: reader.text('log') }, offset };
}

const LOG_ID_BYTES = 16;

function writeNumber(writer: FieldWriter, value: number): void {
  writer.uint32(Math.floor(value / TWO_32));
  writer.uint32(value % TWO_32);
}

function readNumber(reader: FieldReader): number {
  const number = reader.uint32('high half') * TWO_32 + reader.uint32('low half');
  if (!Number.isSafeInteger(number)) throw new RangeError(`${number} is more than anybody has written`);
  return number;
}
