import { urlOf } from './address.ts';
import { NO_HANDLER, type Platform, type Wire, type WireHandler } from './wire.ts';

/** How long a browser's WebSocket is left to send before it is asked again how much waits. */
const POLL_MS = 10;
const HIGH_WATER_MARK_BYTES = 256 * 1024;

/** WebSocket in a browser, or in any other place that has the standard's `WebSocket`. */
export const browserPlatform: Platform = {
  open(address, _tls, signal) {
    if (address.network !== 'ws' && address.network !== 'wss') {
      return Promise.reject(new Error('a browser connects to ws:// or wss:// only'));
    }
    return new Promise((resolve, reject) => {
      const webSocket = new WebSocket(urlOf(address), ['tinymq']);
      webSocket.binaryType = 'arraybuffer';
      const abort = () => {
        webSocket.close();
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', abort, { once: true });
      webSocket.onopen = () => {
        signal.removeEventListener('abort', abort);
        resolve(new BrowserWire(webSocket));
      };
      // The browser keeps the reason to itself.
      webSocket.onerror = () => reject(new Error('no WebSocket connection'));
      if (signal.aborted) abort();
    });
  },
  canPause: () => false,
  // Microtasks of this turn run first; a message channel comes next, before rendering and without a timer's delay.
  defer(callback) {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      callback();
    });
    port1.start();
    port2.postMessage(undefined);
  },
  unref() {},
};

class BrowserWire implements Wire {
  handler: WireHandler = NO_HANDLER;
  readonly #webSocket: WebSocket;

  constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
    let failure: Error | undefined;
    webSocket.onmessage = (event) => this.handler.bytes(new Uint8Array(event.data as ArrayBuffer));
    webSocket.onerror = () => {
      failure = new Error('the WebSocket failed');
    };
    webSocket.onclose = () => this.handler.closed(failure);
  }

  write(chunks: readonly Uint8Array[]): boolean {
    for (const chunk of chunks) this.#webSocket.send(chunk as Uint8Array<ArrayBuffer>);
    if (this.#webSocket.bufferedAmount < HIGH_WATER_MARK_BYTES) return true;
    this.#pollUntilDrained();
    return false;
  }

  get pendingBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  pause(): void {}

  resume(): void {}

  end(): void {
    this.#webSocket.close(1000);
  }

  destroy(): void {
    this.#webSocket.close();
  }

  #pollUntilDrained(): void {
    setTimeout(() => {
      if (this.#webSocket.readyState !== WebSocket.OPEN) return;
      if (this.#webSocket.bufferedAmount > 0) this.#pollUntilDrained();
      else this.handler.drained();
    }, POLL_MS);
  }
}
