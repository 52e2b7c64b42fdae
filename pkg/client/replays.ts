import { encodeFrame, FrameBit, FrameType } from '../../internal/protocol/frame/frame.ts';
import {
  encodePosition,
  GOES_ON,
  type Position,
  parsePosition,
} from '../../internal/protocol/frame/positions.ts';
import { payloadWith } from '../../internal/protocol/frame/properties.ts';
import type { FilterEntry } from './filters.ts';
import type { MessageHandler } from './message.ts';

/** A log that a replay reads on this connection. */
export interface Reader {
  readonly entry: FilterEntry;
  /** Moves on with each message, and outlasts the connection. */
  readonly position: Position;
  /** Offsets of messages that came and have no answer: a new connection begins at the first of them. */
  readonly unanswered: Set<number>;
  handlers: readonly MessageHandler[];
  epoch: number;
}

/** Where the replays of a client are, by the numbers that the broker gives the logs that it reads for them. */
export class Replays {
  readonly #readers = new Map<number, Reader>();

  /** A new connection, on which the numbers mean something else, and what has no answer comes again. */
  reset(): void {
    for (const { position, unanswered } of this.#readers.values()) {
      for (const offset of unanswered) position.offset = Math.min(position.offset, offset);
    }
    this.#readers.clear();
  }

  /** Who reads where a message stands that was given back, and comes by itself now. */
  findAt({ log, partition, offset }: Pick<Position, 'log' | 'partition' | 'offset'>): Reader | undefined {
    for (const reader of this.#readers.values()) {
      const { position, unanswered } = reader;
      if (position.log === log && position.partition === partition && unanswered.has(offset)) return reader;
    }
    return undefined;
  }

  /** The broker reads a log for a replay, from here on. A payload that says nothing is passed over. */
  add(entry: FilterEntry, payload: Uint8Array): void {
    const position = parsePosition(payload);
    if (position === undefined) return;
    entry.positions.set(`${position.partition} ${position.log}`, position);
    this.#readers.set(position.reader, {
      entry,
      position,
      unanswered: new Set(),
      handlers: [],
      epoch: -1,
    });
  }

  /** Who reads under this number; nobody where the subscription has ended. */
  find(number: number): Reader | undefined {
    return this.#readers.get(number);
  }

  /** A subscription has ended; what is still on its way for it is for nobody. */
  forget(entry: FilterEntry): void {
    for (const position of entry.positions.values()) this.#readers.delete(position.reader);
  }
}

/** The frames that ask a broker on a new connection to go on where a replay was. */
export function* resumption(entry: FilterEntry, clientId: string): Generator<Uint8Array> {
  const { filter, positions } = entry;
  for (const position of positions.values()) {
    yield encodePosition(filter, { ...position, reader: 0 }, clientId);
  }
  yield subscribeFrame(entry, clientId, GOES_ON);
}

/** What asks for a filter. */
export function subscribeFrame(
  { filter, parts: { properties } }: FilterEntry,
  clientId: string,
  payload = NO_PAYLOAD,
): Uint8Array {
  if (properties === undefined) return encodeFrame(FrameType.subscribe, filter, payload, clientId);
  return encodeFrame(
    FrameType.subscribe | FrameBit.properties,
    filter,
    payloadWith(properties, payload),
    clientId,
  );
}

const NO_PAYLOAD = new Uint8Array(0);
