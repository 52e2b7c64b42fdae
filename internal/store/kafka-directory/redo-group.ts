import { crc32 } from '../../lib/crc32.ts';

/**
 * A group of writes in a redo log, which is there as a whole or not at all, big endian:
 *
 *     magic "tmqr" (4)   CRC-32 of all that follows (4)   bytes that follow (4)   epoch (8)   number in the epoch (4)
 *     { length of the path (2)   path   position in the file (8)   length of the bytes (4)   bytes } ...
 *
 * A part with all bits of its position set and no bytes says that what came before for this file is not to be written again.
 */
export interface RedoGroup {
  readonly epoch: bigint;
  readonly number: number;
  readonly parts: readonly RedoPart[];
  readonly end: number;
}

export interface RedoPart {
  /** Below the directories. */
  readonly path: string;
  /** Undefined where the file was let go of. */
  readonly position: number | undefined;
  readonly bytes: Uint8Array;
}

/** What a group holds of one file. */
export interface RedoEntry {
  readonly path: string;
  readonly position: number | undefined;
  readonly buffers: readonly Uint8Array[];
  readonly byteLength: number;
}

/** What stands in the place of a group where there is none. */
export const clearedHeader = new Uint8Array(24);

/** The bytes of a group, without what {@link sealGroup} puts into the first of them. */
export function encodeGroup(entries: readonly RedoEntry[]): { buffers: Uint8Array[]; byteLength: number } {
  const buffers: Uint8Array[] = [Buffer.alloc(HEADER_BYTES)];
  let byteLength = HEADER_BYTES;
  for (const entry of entries) {
    const head = encodeHead(entry);
    buffers.push(head);
    for (const bytes of entry.buffers) buffers.push(bytes);
    byteLength += head.length + entry.byteLength;
  }
  (buffers[0] as Buffer).writeUInt32BE(byteLength - CHECKED_FROM, LENGTH_AT);
  // Copying small pieces costs less than telling the system of each.
  const isOne = byteLength < buffers.length * COPIED_PIECE_BYTES;
  return { buffers: isOne ? [Buffer.concat(buffers, byteLength)] : buffers, byteLength };
}

/** Writes into the header of a group which one it is, and its checksum. */
export function sealGroup(buffers: Uint8Array[], epoch: bigint, number: number): Uint8Array[] {
  const [first, ...rest] = buffers;
  const header = first as Buffer;
  header.write(MAGIC, 0, 'latin1');
  header.writeBigUInt64BE(epoch, EPOCH_AT);
  header.writeUInt32BE(number, NUMBER_AT);
  let checksum = crc32(header.subarray(CHECKED_FROM));
  for (const bytes of rest) checksum = crc32(bytes, checksum);
  header.writeUInt32BE(checksum, CHECKSUM_AT);
  return buffers;
}

/** The groups of one epoch from the beginning of a file on; what older epochs left behind them does not count. */
export function readGroups(bytes: Buffer): RedoGroup[] {
  const groups: RedoGroup[] = [];
  for (let at = 0; ; at = groups.at(-1)!.end) {
    const group = readGroup(bytes, at);
    if (group === undefined || group.number !== groups.length) break;
    if (groups.length > 0 && group.epoch !== groups[0]!.epoch) break;
    groups.push(group);
  }
  return groups;
}

/** The group at a place; undefined where there is none that is whole. */
function readGroup(bytes: Buffer, at: number): RedoGroup | undefined {
  if (at + HEADER_BYTES > bytes.length || bytes.toString('latin1', at, at + 4) !== MAGIC) return undefined;
  const end = at + CHECKED_FROM + bytes.readUInt32BE(at + LENGTH_AT);
  if (
    end > bytes.length ||
    crc32(bytes.subarray(at + CHECKED_FROM, end)) !== bytes.readUInt32BE(at + CHECKSUM_AT)
  ) {
    return undefined;
  }
  const parts: RedoPart[] = [];
  for (let part = at + HEADER_BYTES; part < end; ) {
    const pathEnd = part + 2 + bytes.readUInt16BE(part);
    const bytesAt = pathEnd + 12;
    const bytesEnd = bytesAt + bytes.readUInt32BE(pathEnd + 8);
    const position = bytes.readBigUInt64BE(pathEnd);
    parts.push({
      path: bytes.toString('utf8', part + 2, pathEnd),
      position: position === LET_GO ? undefined : Number(position),
      bytes: bytes.subarray(bytesAt, bytesEnd),
    });
    part = bytesEnd;
  }
  return {
    epoch: bytes.readBigUInt64BE(at + EPOCH_AT),
    number: bytes.readUInt32BE(at + NUMBER_AT),
    parts,
    end,
  };
}

function encodeHead({ path, position, byteLength }: RedoEntry): Buffer {
  const pathBytes = Buffer.byteLength(path);
  const head = Buffer.allocUnsafe(PART_FIELD_BYTES + pathBytes);
  let at = head.writeUInt16BE(pathBytes, 0);
  at += head.write(path, at);
  at = head.writeBigUInt64BE(position === undefined ? LET_GO : BigInt(position), at);
  head.writeUInt32BE(byteLength, at);
  return head;
}

const MAGIC = 'tmqr';
const CHECKSUM_AT = 4;
const LENGTH_AT = 8;
const CHECKED_FROM = 12;
const EPOCH_AT = 12;
const NUMBER_AT = 20;
const HEADER_BYTES = clearedHeader.length;
/** Of a part, without its path and its bytes. */
const PART_FIELD_BYTES = 14;
const LET_GO = 2n ** 64n - 1n;
const COPIED_PIECE_BYTES = 4_096;
