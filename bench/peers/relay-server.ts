/**
 * Copies what publishers send to all subscribers. `relay-server.ts PORT-OR-PATH [CERT KEY]`
 *
 * Until its first PUBLISH a connection speaks frames, as far as it must to be used like a broker: SUBSCRIBE makes it
 * a subscriber, PING is answered. From then on its bytes are not looked at.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { FrameDecoder } from '../../internal/protocol/frame/decoder.ts';
import { encodeFrame, FrameType } from '../../internal/protocol/frame/frame.ts';

const [where, certFile, keyFile] = process.argv.slice(2);
const subscribers = new Set<Socket>();
const publishers = new Set<Socket>();
/** Subscribers that take no more for now; publishers wait for them. */
const full = new Set<Socket>();

const server =
  certFile === undefined || keyFile === undefined
    ? createServer(greet)
    : createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, greet);
server.listen(/^\d+$/.test(where) ? { host: '127.0.0.1', port: Number(where) } : { path: where });
process.on('SIGTERM', () => process.exit());

function greet(socket: Socket): void {
  const decoder = new FrameDecoder(1024);
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', function talk(chunk: Uint8Array) {
    if (chunk[0] === FrameType.publish) {
      socket.off('data', talk);
      socket.on('data', copy);
      publishers.add(socket);
      socket.on('close', () => publishers.delete(socket));
      copy(chunk);
      return;
    }
    for (const { type, clientId } of decoder.frames(chunk)) {
      if (type === FrameType.subscribe) deliverTo(socket);
      if (type === FrameType.ping) socket.write(encodeFrame(FrameType.pong, '', '', clientId));
    }
  });
}

function deliverTo(socket: Socket): void {
  subscribers.add(socket);
  socket.on('drain', () => hasRoom(socket));
  socket.on('close', () => {
    subscribers.delete(socket);
    hasRoom(socket);
  });
}

function hasRoom(socket: Socket): void {
  full.delete(socket);
  if (full.size === 0) for (const publisher of publishers) publisher.resume();
}

function copy(chunk: Uint8Array): void {
  for (const subscriber of subscribers) {
    if (!subscriber.write(chunk)) full.add(subscriber);
  }
  if (full.size > 0) for (const publisher of publishers) publisher.pause();
}
