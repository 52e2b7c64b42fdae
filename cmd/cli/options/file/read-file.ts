import { isUtf8 } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';
import { systemReason } from '../../../../internal/lib/system-reason.ts';
import { maxOptionsFileBytes } from '../../../../internal/limits/server.ts';
import { UsageError } from '../program.ts';

/** The text of a file of options. @throws UsageError. */
export function readTextFile(file: string): string {
  const bytes = bytesOf(file);
  if (bytes.length > maxOptionsFileBytes)
    throw new UsageError(`${file} is no file of options: it has more than ${maxOptionsFileBytes} bytes`);
  if (!isUtf8(bytes)) throw new UsageError(`${file} is no file of options: it is no text in UTF-8`);
  // Some editors begin every file with a mark of the byte order.
  return bytes.toString().replace(/^\ufeff/, '');
}

/** At most one byte more than allowed: a device may have no end. */
function bytesOf(file: string): Buffer {
  const buffer = Buffer.allocUnsafe(maxOptionsFileBytes + 1);
  let length = 0;
  try {
    const handle = openSync(file, 'r');
    try {
      for (let count = -1; count !== 0 && length < buffer.length; length += count)
        count = readSync(handle, buffer, length, buffer.length - length, null);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${systemReason(error)}`);
  }
  return buffer.subarray(0, length);
}
