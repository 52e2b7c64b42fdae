import { connect, type Socket } from 'node:net';

/** A connection of a test that writes the frames of HTTP/2 itself, in any order and as broken as it likes. */
export class RawHttp2 {
  readonly socket: Socket;
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<unknown>;
  /** Types of the frames that came, in their order; only with {@link listen}. */
  readonly frames: { type: number; flags: number; stream: number; payload: Buffer }[] = [];

  constructor(url: string) {
    const { hostname, port } = new URL(url.replace(/^grpc:/, 'http:'));
    this.socket = connect(Number(port), hostname);
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.on('close', resolve));
    let waiting = Buffer.alloc(0);
    this.socket.on('data', (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk]);
      while (waiting.length >= 9 && waiting.length >= 9 + waiting.readUIntBE(0, 3)) {
        const length = waiting.readUIntBE(0, 3);
        const stream = waiting.readUInt32BE(5) & 0x7fff_ffff;
        const payload = Buffer.from(waiting.subarray(9, 9 + length));
        this.frames.push({ type: waiting[3], flags: waiting[4], stream, payload });
        waiting = waiting.subarray(9 + length);
      }
    });
  }

  /** The first words of a client, with settings of its own. */
  start(settings: Record<number, number> = {}): void {
    const payload = Buffer.concat(
      Object.entries(settings).map(([id, value]) => {
        const entry = Buffer.alloc(6);
        entry.writeUInt16BE(Number(id));
        entry.writeUInt32BE(value, 2);
        return entry;
      }),
    );
    this.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(Type.settings, 0, 0, payload));
  }

  send(...parts: Uint8Array[]): boolean {
    return this.socket.write(Buffer.concat(parts));
  }

  close(): void {
    this.socket.destroy();
  }
}

export const Type = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const Flag = { endStream: 1, ack: 1, endHeaders: 4 } as const;
export const Setting = { initialWindowSize: 4 } as const;

export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** A header block of literals. */
export function headerBlock(headers: Record<string, string>): Buffer {
  const text = (value: string) => Buffer.concat([lengthOf(Buffer.byteLength(value)), Buffer.from(value)]);
  return Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]),
  );
}

/** The headers of a call. */
export function callHeaders(path: string, more: Record<string, string> = {}): Buffer {
  return headerBlock({
    ':method': 'POST',
    ':scheme': 'http',
    ':path': path,
    ':authority': 'localhost',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...more,
  });
}

function lengthOf(length: number): Buffer {
  if (length < 127) return Buffer.of(length);
  const bytes = [127];
  let rest = length - 127;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}
