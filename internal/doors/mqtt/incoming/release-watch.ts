import { BrokerError } from '../../../errors.ts';
import { mqttReceiveMaximum, mqttReleasePatienceMs } from '../../../limits/mqtt.ts';

export interface ReleaseWatchParts {
  /** Whether it is the broker that keeps the client waiting. */
  isClientWaiting(): boolean;
  /** Ends the connection. */
  refuse(reason: BrokerError): void;
}

/**
 * Keeps the QoS 2 messages of a client of version 5 within the Receive Maximum: so many get their PUBREC, the next ones when
 * earlier ones are released. A client may not send more [MQTT-3.3.4-7], but many libraries send all that they have at
 * once, and their PUBRELs lie behind that in the connection. Only time tells them from a client that does not care. One
 * that neither sends nor releases a message for a while, though it has all the PUBRECs that it may have, is refused.
 */
export class ReleaseWatch {
  readonly #parts: ReleaseWatchParts;
  /** Messages that get their PUBREC, or have it, and for which no PUBREL has come. */
  readonly #open = new Set<number>();
  /** By packet id, what sends the PUBREC of a message beyond those. */
  readonly #excess = new Map<number, () => void>();
  #timer: NodeJS.Timeout | undefined;
  /** Counts what the client does, so that a judgement knows whether it is late. */
  #steps = 0;

  constructor(parts: ReleaseWatchParts) {
    this.#parts = parts;
  }

  /** A message has come: sends its PUBREC now, or when others are released. */
  received(packetId: number, sendPubrec: () => void): void {
    if (this.#open.size < mqttReceiveMaximum || this.#open.has(packetId)) {
      this.#open.add(packetId);
      sendPubrec();
    } else {
      this.#excess.set(packetId, sendPubrec);
    }
    this.#wait();
  }

  /** PUBREL has come, or PUBREC said that the message is not taken. */
  released(packetId: number): void {
    this.#excess.delete(packetId);
    this.#open.delete(packetId);
    for (const [next, sendPubrec] of this.#excess) {
      if (this.#open.size >= mqttReceiveMaximum) break;
      this.#excess.delete(next);
      this.#open.add(next);
      sendPubrec();
    }
    this.#wait();
  }

  close(): void {
    this.#steps++;
    this.#excess.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Begins to wait, or begins anew, while there are too many. */
  #wait(): void {
    this.#steps++;
    if (this.#excess.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    } else if (this.#timer === undefined) {
      this.#timer = setTimeout(() => this.#lookAgain(), mqttReleasePatienceMs).unref();
    } else {
      this.#timer.refresh();
    }
  }

  /** What the client sent while the process did not run lies in its socket, and is read before it is judged. */
  #lookAgain(): void {
    const steps = this.#steps;
    setImmediate(() => {
      if (this.#steps === steps) this.#judge();
    });
  }

  #judge(): void {
    if (this.#parts.isClientWaiting()) {
      this.#timer?.refresh();
      return;
    }
    const open = this.#open.size + this.#excess.size;
    this.close();
    const problem = `${open} messages of QoS 2 are not released; at most ${mqttReceiveMaximum}`;
    this.#parts.refuse(new BrokerError('receive-maximum-exceeded', problem));
  }
}
