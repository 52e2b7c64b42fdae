import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { WebSocket } from 'ws';
import { systemReason } from '../../internal/lib/system-reason.ts';
import { type Address, urlOf } from './address.ts';
import { NodeQueueFile } from './queue-file-node.ts';
import { NO_HANDLER, type Platform, type TlsOptions, type Wire, type WireHandler } from './wire.ts';
import { browserPlatform } from './wire-browser.ts';

/** Bytes a socket takes before it asks to wait. */
const HIGH_WATER_MARK_BYTES = 256 * 1024;

/** tcp, tls, unix sockets and WebSocket in Node. */
export const nodePlatform: Platform = {
  open(address, tls, signal, maxChunkBytes) {
    if (!isWebSocket(address)) return openSocket(address, tls, signal);
    return isBun
      ? openOwnWebSocket(address, tls, signal, maxChunkBytes)
      : openWebSocket(address, tls, signal, maxChunkBytes);
  },
  canPause: (address) => !(isBun && isWebSocket(address)),
  defer: setImmediate,
  openQueue: (path, clientId) => new NodeQueueFile(path, clientId),
  unref: (timer) => timer.unref(),
};

function isWebSocket({ network }: Address): boolean {
  return network === 'ws' || network === 'wss';
}

/** Bun has a WebSocket of its own behind the package that we use, without the socket that this needs. */
const isBun = 'bun' in process.versions;

function openOwnWebSocket(...parts: Parameters<Platform['open']>): Promise<Wire> {
  const [, tls] = parts;
  if (Object.values(tls).some(Boolean)) {
    return Promise.reject(new Error('Bun takes no certificates for wss:// here; tls:// does'));
  }
  return browserPlatform.open(...parts);
}

function openSocket(address: Address, tls: TlsOptions, signal: AbortSignal): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const socket = startSocket(address, tls);
    const abort = () => socket.destroy(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    const words = wordsFor(address, tls);
    const fail = (error: Error) => {
      signal.removeEventListener('abort', abort);
      reject(readable(error, words));
    };
    socket.once('error', fail);
    socket.once(address.network === 'tls' ? 'secureConnect' : 'connect', () => {
      signal.removeEventListener('abort', abort);
      socket.off('error', fail);
      resolve(new SocketWire(socket, words));
    });
    if (signal.aborted) abort();
  });
}

function startSocket(address: Address, tls: TlsOptions): Socket {
  const options = { noDelay: true, keepAlive: true, highWaterMark: HIGH_WATER_MARK_BYTES };
  if (address.network === 'unix') return connectTcp({ ...options, path: address.path });
  const { host, port } = address;
  if (address.network === 'tcp') return connectTcp({ ...options, host, port });
  return connectTls({ ...options, host, port, ...tlsSettings(address, tls) });
}

function tlsSettings(address: Address, tls: TlsOptions) {
  const host = address.network === 'unix' ? '' : address.host;
  return {
    ca: asBuffer(tls.ca),
    cert: asBuffer(tls.cert),
    key: asBuffer(tls.key),
    // A server name is never an IP address (RFC 6066, section 3); the certificate is then checked against the host.
    servername: tls.serverName ?? (isIP(host) === 0 ? host : undefined),
    rejectUnauthorized: tls.insecure !== true,
  };
}

function asBuffer(pem: string | Uint8Array | undefined): string | Buffer | undefined {
  return pem instanceof Uint8Array ? Buffer.from(pem) : pem;
}

class SocketWire implements Wire {
  handler: WireHandler = NO_HANDLER;
  readonly #socket: Socket;

  constructor(socket: Socket, words: Words) {
    this.#socket = socket;
    let failure: Error | undefined;
    let hasHeard = false;
    socket.on('data', (chunk) => {
      hasHeard = true;
      this.handler.bytes(chunk);
    });
    socket.on('drain', () => this.handler.drained());
    socket.on('error', (error) => {
      failure = readable(error, hasHeard ? NO_WORDS : words);
    });
    socket.on('close', () => {
      const { cutOff } = words;
      if (!hasHeard && failure === undefined && cutOff !== undefined) failure = new Error(cutOff);
      this.handler.closed(failure);
    });
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (chunks.length === 1) return this.#socket.write(chunks[0]);
    this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk);
    this.#socket.uncork();
    return !this.#socket.writableNeedDrain;
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

async function openWebSocket(
  address: Address,
  tls: TlsOptions,
  signal: AbortSignal,
  maxChunkBytes: number,
): Promise<Wire> {
  // It brings HTTP with it, which programs with any other address start sooner without.
  const { WebSocket } = await import('ws');
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(urlOf(address), ['tinymq'], {
      perMessageDeflate: false,
      maxPayload: maxChunkBytes,
      ...tlsSettings(address, tls),
    });
    let socket: Socket;
    let refusal: Error | undefined;
    const abort = () => {
      refusal = signal.reason as Error;
      webSocket.terminate();
    };
    const fail = (error: Error) => {
      signal.removeEventListener('abort', abort);
      reject(refusal ?? readable(error, wordsFor(address, tls)));
    };
    signal.addEventListener('abort', abort, { once: true });
    webSocket.once('error', fail);
    webSocket.once('unexpected-response', (_request, response) => {
      refusal = new Error(`the server answered ${response.statusCode} ${response.statusMessage}`);
      webSocket.terminate();
    });
    webSocket.once('upgrade', (response) => {
      socket = response.socket;
    });
    webSocket.once('open', () => {
      signal.removeEventListener('abort', abort);
      webSocket.off('error', fail);
      resolve(new WebSocketWire(webSocket, socket));
    });
    if (signal.aborted) abort();
  });
}

class WebSocketWire implements Wire {
  handler: WireHandler = NO_HANDLER;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;

  constructor(webSocket: WebSocket, socket: Socket) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    let failure: Error | undefined;
    webSocket.binaryType = 'nodebuffer';
    webSocket.on('message', (data) => this.handler.bytes(data as Buffer));
    webSocket.on('error', (error) => {
      failure = readable(error, NO_WORDS);
    });
    webSocket.on('close', () => this.handler.closed(failure));
    socket.on('drain', () => this.handler.drained());
  }

  write(chunks: readonly Uint8Array[]): boolean {
    this.#socket.cork();
    for (const chunk of chunks) this.#webSocket.send(chunk);
    this.#socket.uncork();
    return !this.#socket.writableNeedDrain;
  }

  get pendingBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  end(): void {
    this.#webSocket.resume();
    this.#webSocket.close(1000);
  }

  destroy(): void {
    this.#webSocket.terminate();
  }
}

/** What an alert of the broker means. */
const ALERTS: Record<string, string | undefined> = {
  'handshake failure':
    'the broker refused the TLS handshake; it may ask for a client certificate, or this port speaks no TLS',
  'certificate required': 'the broker asks for a client certificate',
  'unknown ca': 'the broker does not know who signed the client certificate',
};

const REASONS: Record<string, string | undefined> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the broker reset the connection',
  EPIPE: 'the broker closed the connection',
  ENOENT: 'no such socket file',
  ENOTSOCK: 'the file is not a socket',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the host name cannot be looked up now',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the other side does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the other side does not speak TLS',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the broker asks for a client certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the broker does not know who signed the client certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is signed by an unknown authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is signed by itself',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate is signed by an unknown authority',
  CERT_HAS_EXPIRED: 'the certificate has expired',
};

/** What errors mean that a socket of any kind may have, for one that was not answered yet. */
interface Words {
  /** Of a connection that the broker closed without a word; undefined where nobody knows more than that. */
  cutOff?: string;
}

const NO_WORDS: Words = {};

/**
 * With TLS 1.3 a client has ended its handshake when its certificate is looked at: all that it sees of a refusal is that the
 * connection closes.
 */
function wordsFor({ network }: Address, { cert }: TlsOptions): Words {
  if (cert === undefined || (network !== 'tls' && network !== 'wss')) return NO_WORDS;
  return { cutOff: 'the broker closed the connection; it may not know who signed the client certificate' };
}

/** What OpenSSL says in an error of the system (`write EPROTO …`): the last but the file where it stands. */
const OPENSSL_ALERT = /:SSL routines:[^:]*:(?:ssl\/tls |sslv3 |tlsv1 |tlsv13 )?alert ([^:]+):/;

/** The same error with words for people. `localhost` fails once for each of its addresses. */
function readable(error: Error, { cutOff }: Words): Error {
  const first = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  const { code = '', reason: opensslReason } = first as NodeJS.ErrnoException & { reason?: string };
  // The message of an error of OpenSSL is a line of its source code; its reason is for people.
  const alert = OPENSSL_ALERT.exec(first.message)?.[1];
  const reason =
    (code === 'ECONNRESET' ? cutOff : undefined) ??
    REASONS[code] ??
    (alert === undefined ? undefined : ALERTS[alert]) ??
    (code.startsWith('ERR_SSL_') ? opensslReason : alert) ??
    systemReason(first);
  return reason === first.message ? first : new Error(reason, { cause: error });
}
