/** A file of an archive. */
export interface TarFile {
  /** Relative, with `/` between folders; at most 100 bytes. */
  readonly name: string;
  readonly content: Uint8Array;
}

const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
/** Of the owner only: archives hold what a broker says of itself. */
const FILE_MODE = 0o600;

/**
 * An archive in the format of `tar` (ustar, POSIX.1-1988), which every tar reads.
 *
 * @param modifiedMs when all files were written, in milliseconds since 1970.
 * @throws RangeError for a name that has no place in it.
 */
export function tarOf(files: readonly TarFile[], modifiedMs: number): Buffer {
  const parts: Uint8Array[] = [];
  for (const { name, content } of files) {
    parts.push(headerOf(name, content.length, modifiedMs), content);
    parts.push(new Uint8Array((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES));
  }
  // Two empty blocks are the end.
  parts.push(new Uint8Array(2 * BLOCK_BYTES));
  return Buffer.concat(parts);
}

/*
 *     name (100)   mode (8)   user (8)   group (8)   bytes (12)   modified (12)   checksum (8)   type (1)   link (100)
 *     "ustar" and version (8)   names of user and group (64)   device (16)   prefix (155)
 *
 * Numbers are octal text. The checksum is the sum of the header's bytes, with spaces in its own place.
 */
function headerOf(name: string, bytes: number, modifiedMs: number): Buffer {
  if (Buffer.byteLength(name) > NAME_BYTES || name.includes('\0') || name.startsWith('/')) {
    throw new RangeError(`a name in an archive has at most ${NAME_BYTES} bytes: ${name}`);
  }
  const header = Buffer.alloc(BLOCK_BYTES);
  header.write(name, 0);
  writeOctal(header, 100, 8, FILE_MODE);
  writeOctal(header, 108, 8, 0);
  writeOctal(header, 116, 8, 0);
  writeOctal(header, 124, 12, bytes);
  writeOctal(header, 136, 12, Math.floor(modifiedMs / 1000));
  header.write('0', 156);
  header.write('ustar\x0000', 257, 'latin1');
  header.fill(' ', 148, 156);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function writeOctal(header: Buffer, at: number, length: number, value: number): void {
  header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
}
