import { Socket } from 'node:net';

/** Bytes of a read that fills the buffer of the runtime. */
export const FULL_READ_BYTES = 64 * 1024;
/** So many of them in a row, and a socket gets memory of its own that is used again. */
export const FULL_READS_BEFORE_LENDING = 4;
/**
 * Bytes of such memory: a part of the cache of a core (2 MiB), as what is read is written next. No more than is taken in one turn
 * (`bytesPerTurn` of the doors), because what is put off is kept.
 */
export const LENT_READ_BYTES = 256 * 1024;
/** Less than this is copied out of such memory at once, as it is kept by many who take it. */
export const LEAST_LENT_BYTES = 32 * 1024;
/**
 * Bytes that are read into such memory before the other sockets have their turn: as many as otherwise, as the runtime reads a socket
 * up to 32 times in a row.
 */
export const LENT_BYTES_IN_A_ROW = 2 * 1024 * 1024;
/** Sockets that have such memory, 16 MiB together: each keeps it while it is quiet. */
const MOST_LENDING_SOCKETS = 64;

/** Takes what was read; whether nobody needs those bytes any more. */
export type LentReader = (chunk: Uint8Array) => boolean;

/** The fields of a socket that reads into memory which it was given. */
interface Fields {
  buffer: symbol;
  nextBuffer: symbol;
  callback: symbol;
}

type ReadableSocket = Socket & {
  [field: symbol]: unknown;
  _handle?: { useUserBuffer?(buffer: Uint8Array): void };
};

const fields = findFields();
let lending = 0;

/**
 * Has the runtime read this socket into memory that is used again, as long as the reader is done with it when it returns.
 * Otherwise the runtime makes a buffer of 64 KiB for each read: the memory of a socket that brings much is then never in the
 * cache of the processor, and writing there takes longer than all else that is done for a message.
 *
 * The runtime offers this (`onread`) only for sockets that it dials itself, so the fields of an accepted one are set as it would
 * set them. Where it has other fields, or enough sockets have such memory already, nothing is changed.
 */
export function readIntoLent(socket: Socket, reader: LentReader): void {
  const readable = socket as unknown as ReadableSocket;
  const handle = readable._handle;
  if (fields === undefined || typeof handle?.useUserBuffer !== 'function') return;
  if (lending >= MOST_LENDING_SOCKETS) return;
  lending++;
  socket.once('close', () => lending--);

  let buffer = newBuffer(LENT_READ_BYTES);
  let isFree = true;
  let fullReads = 0;
  readable[fields.callback] = (length: number): boolean => {
    isFree = reader(buffer.subarray(0, length));
    fullReads = isFree && length === buffer.length ? fullReads + 1 : 0;
    return true;
  };
  readable[fields.nextBuffer] = (): Uint8Array => {
    // Of a reader that keeps what it gets there is nothing to gain, so that it gets what the runtime would give it.
    if (!isFree) buffer = newBuffer(FULL_READ_BYTES);
    else if (buffer.length < LENT_READ_BYTES && fullReads >= FULL_READS_BEFORE_LENDING)
      buffer = newBuffer(LENT_READ_BYTES);
    return buffer;
  };
  readable[fields.buffer] = buffer;
  handle.useUserBuffer(buffer);
}

/** Nobody sees of it what was not read into it. */
function newBuffer(bytes: number): Uint8Array {
  return Buffer.allocUnsafeSlow(bytes);
}

/** Looks where a socket has them that is made with `onread`. */
function findFields(): Fields | undefined {
  const nextBuffer = (): Uint8Array => new Uint8Array(1);
  const callback = (): boolean => true;
  const probe = new Socket({ onread: { buffer: nextBuffer, callback } } as object) as ReadableSocket;
  const symbols = Object.getOwnPropertySymbols(probe);
  const fieldOf = (value: unknown) => symbols.find((symbol) => probe[symbol] === value);
  const found = {
    buffer: symbols.find(({ description }) => description === 'kBuffer'),
    nextBuffer: fieldOf(nextBuffer),
    callback: fieldOf(callback),
  };
  return Object.values(found).includes(undefined) ? undefined : (found as Fields);
}
