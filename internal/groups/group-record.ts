import type { GroupState } from './group-types.ts';

/** A group as the store keeps it. */
export interface GroupRecord {
  /** With `CompletingRebalance` the members know the generation, and no assignment yet. */
  readonly state: Exclude<GroupState, 'Dead'>;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leaderId: string | null;
  /** Since when nobody is in it, in milliseconds since 1970; undefined where it has members. */
  readonly emptySinceMs: number | undefined;
  /** In the order in which they came. */
  readonly members: readonly MemberRecord[];
}

/** The state of a member without its connections and timers. */
export interface MemberRecord {
  readonly id: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly protocolType: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** The most wanted one first. */
  readonly protocols: ReadonlyMap<string, Uint8Array>;
  readonly assignment: Uint8Array;
}

/**
 * The bytes of a group in the store. Numbers are big-endian; `text` and `bytes` begin with their length (4 bytes, -1 for
 * null):
 *
 *     version (1)   state (1)   generation (4)   empty since (8, -1 for never)
 *     protocol type (text)   protocol (text)   leader (text)   member count (4)   members
 *
 *     member:  id (text)   instance id (text)   client id (text)   client host (text)
 *              session timeout (4)   rebalance timeout (4)   protocol count (4)   protocols   assignment (bytes)
 *     protocol:  name (text)   metadata (bytes)
 *
 * The rule for changes: any other layout, an added field too, is the next version. {@link readGroup} goes on reading all older
 * ones. A version that it does not know, of a newer tinymq, counts as a group without members: these are told that they
 * are unknown and join again; what the group committed lies elsewhere and stays.
 */
export const GROUP_RECORD_VERSION = 1;

/** The bytes of a group. */
export function writeGroup(group: GroupRecord): Uint8Array {
  const bytes = Buffer.allocUnsafe(sizeOf(group));
  let at = bytes.writeUInt8(GROUP_RECORD_VERSION);
  at = bytes.writeUInt8(STATES.indexOf(group.state), at);
  at = bytes.writeInt32BE(group.generationId, at);
  at = bytes.writeDoubleBE(group.emptySinceMs ?? -1, at);
  for (const text of [group.protocolType, group.protocolName, group.leaderId]) at = putText(bytes, at, text);
  at = bytes.writeInt32BE(group.members.length, at);
  for (const member of group.members) at = putMember(bytes, at, member);
  return bytes;
}

/** The result refers to these bytes. @throws RangeError for a version that is not known, and for bytes that are no group. */
export function readGroup(bytes: Uint8Array): GroupRecord {
  const reader = new RecordReader(bytes);
  const version = reader.uint8();
  if (version !== GROUP_RECORD_VERSION) throw new RangeError(`the format ${version} of a group is not known`);
  const state = STATES[reader.uint8()];
  if (state === undefined) throw new RangeError('the state of a group is not known');
  const generationId = reader.int32();
  const emptySinceMs = reader.double();
  const [protocolType, protocolName, leaderId] = [reader.text(), reader.text(), reader.text()];
  const members = Array.from({ length: reader.count() }, () => readMember(reader, protocolType ?? ''));
  return {
    state,
    generationId,
    protocolType,
    protocolName,
    leaderId,
    emptySinceMs: emptySinceMs < 0 ? undefined : emptySinceMs,
    members,
  };
}

/** Their places are their numbers in the store. */
const STATES = ['Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable'] as const;

function sizeOf({ protocolType, protocolName, leaderId, members }: GroupRecord): number {
  let size = GROUP_NUMBERS_BYTES + textBytes(protocolType) + textBytes(protocolName) + textBytes(leaderId);
  for (const member of members) {
    size += MEMBER_NUMBERS_BYTES + LENGTH_BYTES + member.assignment.length;
    for (const text of textsOf(member)) size += textBytes(text);
    for (const [name, metadata] of member.protocols) size += textBytes(name) + LENGTH_BYTES + metadata.length;
  }
  return size;
}

function putMember(bytes: Buffer, start: number, member: MemberRecord): number {
  let at = start;
  for (const text of textsOf(member)) at = putText(bytes, at, text);
  at = bytes.writeInt32BE(member.sessionTimeoutMs, at);
  at = bytes.writeInt32BE(member.rebalanceTimeoutMs, at);
  at = bytes.writeInt32BE(member.protocols.size, at);
  for (const [name, metadata] of member.protocols) {
    at = putText(bytes, at, name);
    at = putBytes(bytes, at, metadata);
  }
  return putBytes(bytes, at, member.assignment);
}

function readMember(reader: RecordReader, protocolType: string): MemberRecord {
  const id = reader.text() ?? '';
  const instanceId = reader.text();
  const [clientId, clientHost] = [reader.text() ?? '', reader.text() ?? ''];
  const [sessionTimeoutMs, rebalanceTimeoutMs] = [reader.int32(), reader.int32()];
  const protocols = new Map<string, Uint8Array>();
  for (let left = reader.count(); left > 0; left--) protocols.set(reader.text() ?? '', reader.bytes());
  const assignment = reader.bytes();
  return {
    id,
    instanceId,
    clientId,
    clientHost,
    protocolType,
    sessionTimeoutMs,
    rebalanceTimeoutMs,
    protocols,
    assignment,
  };
}

function textsOf({ id, instanceId, clientId, clientHost }: MemberRecord): (string | null)[] {
  return [id, instanceId, clientId, clientHost];
}

function textBytes(text: string | null): number {
  return LENGTH_BYTES + (text === null ? 0 : Buffer.byteLength(text));
}

function putText(bytes: Buffer, at: number, text: string | null): number {
  if (text === null) return bytes.writeInt32BE(-1, at);
  const end = at + LENGTH_BYTES + bytes.write(text, at + LENGTH_BYTES);
  bytes.writeInt32BE(end - at - LENGTH_BYTES, at);
  return end;
}

function putBytes(bytes: Buffer, at: number, value: Uint8Array): number {
  const start = bytes.writeInt32BE(value.length, at);
  bytes.set(value, start);
  return start + value.length;
}

/** Reads one field behind the other. Throws RangeError at the end of the bytes. */
class RecordReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor({ buffer, byteOffset, length }: Uint8Array) {
    this.#bytes = Buffer.from(buffer, byteOffset, length);
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#advance(4));
  }

  double(): number {
    return this.#bytes.readDoubleBE(this.#advance(8));
  }

  /** A number of things that take at least one byte each. */
  count(): number {
    const count = this.int32();
    if (count < 0 || count > this.#bytes.length - this.#at) throw new RangeError(`${count} are too many`);
    return count;
  }

  text(): string | null {
    const length = this.int32();
    if (length === -1) return null;
    const start = this.#advance(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  bytes(): Uint8Array {
    const length = this.int32();
    const start = this.#advance(length);
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, length);
  }

  #advance(length: number): number {
    const start = this.#at;
    if (length < 0 || start + length > this.#bytes.length)
      throw new RangeError('the bytes of a group end early');
    this.#at = start + length;
    return start;
  }
}

const LENGTH_BYTES = 4;
/** Version, state, generation, empty since, member count. */
const GROUP_NUMBERS_BYTES = 1 + 1 + 4 + 8 + 4;
/** Two timeouts, protocol count. */
const MEMBER_NUMBERS_BYTES = 4 + 4 + 4;
