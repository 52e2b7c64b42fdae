import type { Server, Socket } from 'node:net';

/**
 * What went over all the sockets of some listeners, as it was on the wire. The runtime counts for each socket already;
 * here is only what remembers the sockets, so that counting costs nothing while bytes flow.
 */
export class Traffic {
  /** Sockets accepted so far. */
  accepted = 0;
  readonly #open = new Set<Socket>();
  #receivedBefore = 0;
  #sentBefore = 0;
  readonly #onAccepted: (socket: Socket) => void;
  /** One function for all sockets, because ten thousand of them should cost little. */
  readonly #onClose: (this: Socket) => void;

  /** @param onAccepted is told of each socket. */
  constructor(onAccepted: (socket: Socket) => void = () => {}) {
    this.#onAccepted = onAccepted;
    const traffic = this;
    this.#onClose = function onClose() {
      traffic.#forget(this);
    };
  }

  /** Counts whoever connects to a server from now on. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      this.accepted++;
      this.#open.add(socket);
      this.#onAccepted(socket);
      socket.once('close', this.#onClose);
    });
  }

  /** Bytes read so far. */
  get bytesReceived(): number {
    let sum = this.#receivedBefore;
    for (const socket of this.#open) sum += socket.bytesRead;
    return sum;
  }

  /** Bytes written so far, those included that wait in a socket. */
  get bytesSent(): number {
    let sum = this.#sentBefore;
    for (const socket of this.#open) sum += socket.bytesWritten;
    return sum;
  }

  #forget(socket: Socket): void {
    this.#open.delete(socket);
    this.#receivedBefore += socket.bytesRead;
    this.#sentBefore += socket.bytesWritten;
  }
}
