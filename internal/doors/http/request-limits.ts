import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Access } from '../../access/access.ts';
import type { RateName } from '../../access/limits/limit.ts';
import { type Allowance, longestWait } from '../../access/limits/limits.ts';

/**
 * Holds one connection, and the requests that come over it, to the limits of whoever sends them. A request is taken whole and
 * counted; where a client has used up what it gets, its next request is refused with how long it has to wait.
 */
export class RequestLimits {
  readonly #socket: Socket;
  /** Of whoever sent the last request: the connection counts as its own. */
  #access: Access | undefined;
  /** Bytes of the connection that were counted. */
  #read = 0;
  #written = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * A request has come.
   *
   * @param messages that it publishes.
   * @throws BrokerError `too-many-connections`, `connection-rate-exceeded`, `rate-exceeded`.
   */
  async take(access: Access, request: IncomingMessage, messages: number): Promise<void> {
    await this.#enter(access);
    const { allowance } = access;
    if (allowance === undefined) return;
    checkRates(allowance, messages > 0 ? [...OF_ALL, 'messagesInPerSecond'] : OF_ALL);
    spend(allowance, 'messagesInPerSecond', messages);
    // At once, so that requests beside it find less. Of a body without a length nothing is known yet.
    const announced = Number(request.headers['content-length'] ?? 0);
    spend(allowance, 'bytesInPerSecond', announced);
    this.#read += announced;
  }

  /** A request was answered. What a stream sent, {@link OutgoingPace} has counted. */
  answered(isCounted: boolean): void {
    const { bytesRead, bytesWritten } = this.#socket;
    const allowance = this.#access?.allowance;
    if (allowance !== undefined) {
      spend(allowance, 'bytesInPerSecond', bytesRead - this.#read);
      if (!isCounted) spend(allowance, 'bytesOutPerSecond', bytesWritten - this.#written);
    }
    this.#read = bytesRead;
    this.#written = bytesWritten;
  }

  /** Limits have changed: those there are now hold for a connection that is open already. */
  holdToLimits(): void {
    if (this.#access !== undefined && this.#access.allowance === undefined)
      this.#access.holdToLimits()?.enter(true);
  }

  /** The connection has ended. */
  leave(): void {
    this.#access?.allowance?.leave();
    this.#access = undefined;
  }

  /** Each request is admitted anew; the connection is a new one of somebody only where somebody else sent the one before. */
  async #enter(access: Access): Promise<void> {
    if (this.#access !== undefined && isSameClient(this.#access, access)) return;
    await access.allowance?.turnToConnect();
    this.leave();
    access.allowance?.enter();
    this.#access = access;
    // It may have ended meanwhile.
    if (this.#socket.destroyed) this.leave();
  }
}

/** Sends one answer no faster than the limits of its client allow. */
export class OutgoingPace {
  readonly #access: Access;
  readonly #whenFree: () => void;
  #isHeld = false;
  #isClosed = false;

  /** @param whenFree is called when more may be sent after {@link sent} said no. */
  constructor(access: Access, whenFree: () => void) {
    this.#access = access;
    this.#whenFree = whenFree;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Counts what was sent; whether more may be sent now. */
  sent(bytes: number, messages: number): boolean {
    const allowance = this.#access.holdToLimits();
    if (allowance === undefined) return true;
    spend(allowance, 'bytesOutPerSecond', bytes);
    spend(allowance, 'messagesOutPerSecond', messages);
    if (!this.#isHeld) this.#hold(allowance);
    return !this.#isHeld;
  }

  close(): void {
    this.#isClosed = true;
  }

  #hold(allowance: Allowance): void {
    const rate = OUT.flatMap((name) => allowance.rates(name)).find(({ share }) => share === 0);
    if (rate !== undefined && !this.#isHeld) allowance.waits(rate);
    this.#isHeld = rate !== undefined;
    rate?.whenFree(() => {
      if (this.#isClosed) return;
      this.#hold(allowance);
      if (!this.#isHeld) this.#whenFree();
    });
  }
}

const OUT: readonly RateName[] = ['bytesOutPerSecond', 'messagesOutPerSecond'];
/** What every request needs some of. */
const OF_ALL: readonly RateName[] = [...OUT, 'bytesInPerSecond'];

/** @throws RateExceeded */
function checkRates(allowance: Allowance, names: readonly RateName[]): void {
  for (const name of names) {
    const longest = longestWait(allowance.rates(name));
    if (longest !== undefined) throw allowance.refusal(longest);
  }
}

function spend(allowance: Allowance, name: RateName, count: number): void {
  for (const rate of allowance.rates(name)) rate.take(count);
}

function isSameClient({ identity: one }: Access, { identity: other }: Access): boolean {
  return one.user === other.user && one.clientId === other.clientId;
}
