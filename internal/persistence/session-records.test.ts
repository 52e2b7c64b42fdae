import { describe, expect, it } from 'vitest';
import type { Message } from '../broker/delivery/publication.ts';
import type { Outgoing } from '../broker/sessions/outgoing.ts';
import { VERSION_BYTE } from './entry-version.ts';
import {
  applyState,
  decodeDelayed,
  decodeMessage,
  decodeOutgoing,
  decodeReceived,
  decodeRetained,
  decodeSession,
  decodeWill,
  encodeDelayed,
  encodeMessage,
  encodeOutgoing,
  encodeReceived,
  encodeRetained,
  encodeSession,
  encodeState,
} from './session-records.ts';

const message: Message = {
  topic: 'sensors/ü',
  clientId: 'c',
  payload: Uint8Array.of(0x80, 1, 2),
  qos: 2,
  retain: true,
  expiresAtMs: 1_700_000_000_000,
  properties: { contentType: 't', userProperties: [['a', 'b']] },
};
const outgoing: Outgoing = {
  message,
  qos: 2,
  retain: true,
  tags: [1, 2],
  shared: '$share/g/sensors/#',
  sequence: 7,
  token: 9,
  step: 'received',
};
const session = {
  clientId: 'c',
  user: 'alice',
  expiryMs: Number.POSITIVE_INFINITY,
  endedAtMs: 5,
  subscriptions: [{ filter: 'a/#', qos: 1, noLocal: false, retainAsPublished: true, tag: 3 } as const],
};
const placed: Message = {
  ...message,
  readFrom: { log: 'a.b', logId: Uint8Array.from({ length: 16 }, (_, index) => 0xf0 + index), partition: 3 },
  offset: 2 ** 40,
};
const delayed = { message, dueAtMs: 1_700_000_000_001, delayMs: 10, expiryMs: undefined };
const open = { message, dueAtMs: undefined, delayMs: 10, expiryMs: 5 };
/** What came before the rest of an entry that has its time. */
const DUE_AT_BYTES = 8;

function formerWill(): Uint8Array {
  const value = encodeDelayed(open);
  return Buffer.concat([value.subarray(0, 1), value.subarray(1 + DUE_AT_BYTES)]);
}

/** Each kind of value, as it is written and as it is read. */
const KINDS: readonly [string, Uint8Array, (value: Uint8Array) => unknown, unknown][] = [
  ['session', encodeSession(session), (value) => decodeSession('c', value), session],
  ['message', encodeMessage(message), decodeMessage, message],
  ['message that was read from a log', encodeMessage(placed), decodeMessage, placed],
  ['delayed', encodeDelayed(delayed), decodeDelayed, delayed],
  ['delayed, not due yet', encodeDelayed(open), decodeDelayed, open],
  ['will of a version before', formerWill(), decodeWill, open],
  [
    'outgoing',
    encodeOutgoing(outgoing, undefined),
    (value) => decodeOutgoing(value, 7, () => undefined)?.outgoing,
    outgoing,
  ],
  [
    'outgoing by reference',
    encodeOutgoing(outgoing, 2 ** 40),
    (value) =>
      decodeOutgoing(value, 7, (reference) => (reference === 2 ** 40 ? message : undefined))?.outgoing,
    outgoing,
  ],
  [
    'state',
    encodeState(outgoing),
    (value) => {
      const read: Outgoing = { ...outgoing, step: 'waits', token: 0 };
      applyState(value, read);
      return read;
    },
    outgoing,
  ],
  ['received and kept', encodeReceived(true), decodeReceived, true],
  ['received, maybe not kept', encodeReceived(false), decodeReceived, false],
];

describe('a stored value', () => {
  it.each(KINDS)('(%s) begins with its version, and is read as it was', (_, value, decode, expected) => {
    expect(value[0]).toBe(VERSION_BYTE);
    expect(decode(value)).toEqual(expected);
  });

  // Folders of tinymq 0.1.0 have no version bytes.
  it.each(KINDS)('(%s) is read as version 0 was written', (_, value, decode, expected) => {
    expect(decode(value.subarray(1))).toEqual(expected);
  });

  it.each(KINDS)('(%s) of a newer version is refused, not misread', (_, value, decode) => {
    const newer = Uint8Array.from(value);
    newer[0] = VERSION_BYTE + 1;
    expect(() => decode(newer)).toThrow(
      `its layout has version ${(VERSION_BYTE & 0x7f) + 1}, which a newer tinymq wrote`,
    );
  });

  it('(retained) has the user who published it, whom versions before did not keep', () => {
    const kept = { ...message, user: 'alice' };
    expect(decodeRetained(encodeRetained(kept))).toEqual(kept);
    expect(decodeRetained(encodeRetained(message))).toEqual(message);
    const before = Uint8Array.from(encodeMessage(message));
    before[0] = 0x81;
    expect(decodeRetained(before)).toEqual(message);
    expect(decodeRetained(before.subarray(1))).toEqual(message);
  });
});
