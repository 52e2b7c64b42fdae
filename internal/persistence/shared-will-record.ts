import type { DelayedMessage } from '../broker/delayed-messages.ts';
import { checkPublishable } from '../broker/routing/publishable-topic.ts';
import { countOf, isCount } from '../lib/shape.ts';
import { decodeDelayed, encodeDelayed } from './session-records.ts';

/**
 * A will as the nodes of a cluster share it:
 *
 *     0        1         9
 *     +--------+---------+----------------
 *     | Taken  | By      | Delayed message
 *     |   1    |    8    |
 *     +--------+---------+----------------
 */
export interface SharedWill {
  /** The node that wrote this. */
  readonly by: number;
  /** Whether that one is about to publish it in the place of its own node, which is gone. */
  readonly isTaken: boolean;
  readonly will: DelayedMessage;
}

const BY_AT = 1;
const WILL_AT = 9;

export function encodeSharedWill({ by, isTaken, will }: SharedWill): Uint8Array {
  const head = Buffer.alloc(WILL_AT);
  head[0] = isTaken ? 1 : 0;
  head.writeBigUInt64BE(BigInt(by), BY_AT);
  return Buffer.concat([head, encodeDelayed(will)]);
}

/** @throws Error where it cannot be read. */
export function decodeSharedWill(bytes: Uint8Array): SharedWill {
  const { buffer, byteOffset, length } = bytes;
  if (length < WILL_AT) throw new Error('a shared will is cut off');
  const by = Number(Buffer.from(buffer, byteOffset, length).readBigUInt64BE(BY_AT));
  if (!isCount(by) || bytes[0]! > 1) throw new Error('a shared will does not say who wrote it');
  const will = decodeDelayed(bytes.subarray(WILL_AT));
  checkPublishable(will.message.topic);
  return { by, isTaken: bytes[0] === 1, will };
}

/** The key of a will in the table of all nodes: the node that its client is connected to, and the id of the client. */
export function sharedWillKey(node: number, clientId: string): string {
  return `${node}/${clientId}`;
}

/** @throws Error where it is none. */
export function parseSharedWillKey(key: string): { node: number; clientId: string } {
  const [, digits = '', clientId = ''] = /^(\d+)\/(.*)$/su.exec(key) ?? [];
  const node = countOf(digits);
  if (node === undefined) throw new Error('it is not of the will of a node');
  return { node, clientId };
}
