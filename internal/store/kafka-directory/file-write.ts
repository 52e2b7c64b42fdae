import type { FileHandle } from 'node:fs/promises';

/** Bytes for a place in a file that is there. */
export interface FileWrite {
  readonly path: string;
  readonly position: number;
  readonly buffers: readonly Uint8Array[];
  /** Of all buffers. */
  readonly byteLength: number;
}

/** Writes all of it, in as few calls of the system as it takes. @throws errors of the system */
export async function writeAt(
  handle: FileHandle,
  { buffers, position, byteLength }: Omit<FileWrite, 'path'>,
): Promise<void> {
  for (let first = 0, at = position; first < buffers.length; first += MAX_BUFFERS) {
    const some = buffers.length <= MAX_BUFFERS ? buffers : buffers.slice(first, first + MAX_BUFFERS);
    const wanted = some === buffers ? byteLength : some.reduce((sum, { length }) => sum + length, 0);
    const { bytesWritten } = await writeSome(handle, some, at);
    if (bytesWritten < wanted)
      await writeRest(handle, Buffer.concat(some).subarray(bytesWritten), at + bytesWritten);
    at += wanted;
  }
}

/** What one call of the system takes (IOV_MAX). */
const MAX_BUFFERS = 1_024;

function writeSome(
  handle: FileHandle,
  buffers: readonly Uint8Array[],
  position: number,
): Promise<{ bytesWritten: number }> {
  const [first] = buffers;
  if (first !== undefined && buffers.length === 1) return handle.write(first, 0, first.length, position);
  return handle.writev(buffers as Uint8Array[], position);
}

/** The system took less than it was given, as it does before it says that the disk is full. */
async function writeRest(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}
