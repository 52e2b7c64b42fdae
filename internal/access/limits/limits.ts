import { BrokerError, type ErrorCode, quoted } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { connectWaitMs, limitedScopesRemembered } from '../../limits/access.ts';
import type { Identity, Peer } from '../identity.ts';
import { type CountName, type Limit, type LimitName, RATE_NAMES, type RateName } from './limit.ts';
import { Rate, type RateOf } from './rate.ts';

/** What those who share one limit have used of it. */
class Scope {
  readonly limit: string;
  connections = 0;
  readonly rates = new Map<RateName, Rate>();

  /** @param limit its id. */
  constructor(limit: string) {
    this.limit = limit;
  }

  get isUnused(): boolean {
    return this.connections === 0 && [...this.rates.values()].every(({ isFull }) => isFull);
  }
}

/** One limit as it holds for somebody. */
interface Bound {
  readonly scope: Scope;
  readonly values: Limit['values'];
}

/** What the limits of a broker are made from. */
export interface LimitsParts {
  readonly clock: Clock;
  /** The limits as they are now. Default: none. */
  read?(): readonly Limit[];
  /** Somebody as he is now, who may be in other groups than when he came. Default: as he came. */
  present?(who: Identity): Identity;
}

/** A client that goes over a rate: it has to wait, or is refused. */
export interface Throttle {
  readonly who: Pick<Peer, 'clientId' | 'remote' | 'door'> & Partial<Pick<Identity, 'user'>>;
  readonly code: ErrorCode;
  readonly reason: string;
  /** The id of the limit; undefined for what holds without one. */
  readonly limit: string | undefined;
  /** Its door tells it of a refusal; undefined where it waits. */
  readonly isRefused: boolean;
}

/** The limits of a broker, and what was used of each. */
export class Limits {
  readonly clock: Clock;
  readonly #parts: LimitsParts;
  readonly #scopes = new Map<string, Scope>();
  /** The limits of somebody, as they were in an epoch. */
  readonly #remembered = new WeakMap<Identity, { epoch: number; limits: readonly Limit[] }>();
  /** Grows with each change. */
  epoch = 0;
  /** Told of each client that has to wait, or is refused, because of a rate: some times a second while it does. */
  throttled: (throttle: Throttle) => void = () => {};

  constructor(parts: LimitsParts) {
    this.clock = parts.clock;
    this.#parts = parts;
  }

  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  get #all(): readonly Limit[] {
    return this.#parts.read?.() ?? NONE;
  }

  /** Limits have changed: whoever asks next is told of the new ones. */
  changed(): void {
    this.epoch++;
  }

  /** What holds for somebody now. */
  boundsOf(who: Identity): Bound[] {
    return limitsFor(this.#all, this.#present(who)).map((limit) =>
      this.#bound(isNamed(limit) ? limit.id : `${limit.id}/${ownKeyOf(who)}`, limit),
    );
  }

  /** How many bytes may wait for a client, whether it is connected or not; Infinity: any. */
  mostQueuedBytes(who: Identity): number {
    if (this.isEmpty) return Number.POSITIVE_INFINITY;
    return Math.min(
      ...this.#limitsOf(who).map(({ values }) => values.queuedBytes ?? Number.POSITIVE_INFINITY),
    );
  }

  /** What bounds the bytes that somebody may have retained. */
  retainedBounds(who: Identity): readonly { readonly most: number; readonly isOfClient: boolean }[] {
    if (this.isEmpty) return NONE;
    return this.#limitsOf(who).flatMap(({ client, values: { retainedBytes: most } }) =>
      most === undefined ? [] : { most, isOfClient: client !== undefined },
    );
  }

  #limitsOf(who: Identity): readonly Limit[] {
    let known = this.#remembered.get(who);
    if (known?.epoch !== this.epoch) {
      known = { epoch: this.epoch, limits: limitsFor(this.#all, this.#present(who)) };
      this.#remembered.set(who, known);
    }
    return known.limits;
  }

  #present(who: Identity): Identity {
    return this.#parts.present?.(who) ?? who;
  }

  #bound(id: string, { id: limit, values }: Limit): Bound {
    let scope = this.#scopes.get(id);
    if (scope === undefined) {
      if (this.#scopes.size >= limitedScopesRemembered) this.#forgetUnused();
      scope = new Scope(limit);
      this.#scopes.set(id, scope);
    }
    for (const name of RATE_NAMES) this.#setRate(scope, name, values[name]);
    return { scope, values };
  }

  #setRate({ limit, rates }: Scope, name: RateName, perSecond: number | undefined): void {
    if (perSecond === undefined) return;
    const rate = rates.get(name);
    if (rate === undefined) rates.set(name, new Rate(this.clock, perSecond, { limit, name }));
    else if (rate.perSecond !== perSecond) rate.perSecond = perSecond;
  }

  /** What is owed is not forgotten with a connection: a client that comes back at once goes on where it was. */
  #forgetUnused(): void {
    for (const [id, scope] of this.#scopes) if (scope.isUnused) this.#scopes.delete(id);
  }
}

/** What one connection may use: of every limit that holds for its client. */
export class Allowance {
  readonly #limits: Limits;
  #who: Identity;
  /** Of the limits that {@link Allowance.#bounds} are of. */
  #epoch: number;
  #bounds: readonly Bound[];
  #isIn = false;

  constructor(limits: Limits, who: Identity) {
    this.#limits = limits;
    this.#who = who;
    this.#epoch = limits.epoch;
    this.#bounds = limits.isEmpty ? NONE : limits.boundsOf(who);
  }

  /**
   * Counts a connection of this client.
   *
   * @param isThere it is open already: the limit is newer.
   * @throws BrokerError `too-many-connections`.
   */
  enter(isThere = false): void {
    this.#refresh();
    for (const { scope, values } of this.#bounds) {
      const { connections: most } = values;
      if (!isThere && most !== undefined && scope.connections >= most)
        throw new BrokerError('too-many-connections', `limit ${quoted(scope.limit)}: ${most} are open`, {
          rule: ruleOf(scope.limit),
        });
    }
    this.#isIn = true;
    for (const { scope } of this.#bounds) scope.connections++;
  }

  /**
   * Who comes too often waits for its turn.
   *
   * @returns what resolves when it may come in; undefined where that is now.
   * @throws BrokerError `connection-rate-exceeded`: it would wait long.
   */
  turnToConnect(): Promise<void> | undefined {
    const rates = this.rates('connectionsPerSecond');
    const longest = longestWait(rates);
    if (longest !== undefined && longest.waitMs > connectWaitMs) throw this.refusal(longest);
    for (const rate of rates) rate.take(1);
    if (longest === undefined) return undefined;
    this.waits(longest.rate);
    return new Promise((resolve) => void this.#limits.clock.after(longest.waitMs, resolve));
  }

  /** Tells that the client has to wait because of a rate. */
  waits({ of, perSecond }: Rate): void {
    this.#limits.throttled(this.#throttle(of, perSecond, false));
  }

  /** Why the client is refused because of a rate, which is told to whoever counts that. */
  refusal({ rate: { of, perSecond }, waitMs }: Wait): RateExceeded {
    const throttle = this.#throttle(of, perSecond, true);
    this.#limits.throttled(throttle);
    return new RateExceeded(throttle, waitMs);
  }

  #throttle({ limit, name }: RateOf, perSecond: number, isRefused: boolean): Throttle {
    const code = name === 'connectionsPerSecond' ? 'connection-rate-exceeded' : 'rate-exceeded';
    return { who: this.#who, code, reason: `${name}: ${perSecond} are allowed`, limit, isRefused };
  }

  /** The client is in other groups now. */
  renew(who: Identity): void {
    this.#who = who;
    this.#epoch = OUTDATED;
  }

  /** The connection has ended. */
  leave(): void {
    if (!this.#isIn) return;
    this.#isIn = false;
    for (const { scope } of this.#bounds) scope.connections--;
  }

  /** The rates of some kind that hold for this client; none for most. */
  rates(name: RateName): readonly Rate[] {
    this.#refresh();
    if (this.#bounds.length === 0) return NONE;
    return this.#bounds.flatMap(({ scope, values }) =>
      values[name] === undefined ? [] : (scope.rates.get(name) ?? []),
    );
  }

  /** The smallest number of some kind that this client may have; undefined: any. */
  least(name: CountName): number | undefined {
    this.#refresh();
    let least: number | undefined;
    for (const { values } of this.#bounds) {
      const value = values[name];
      if (value !== undefined && (least === undefined || value < least)) least = value;
    }
    return least;
  }

  /** Whether any of these hold for this client. */
  has(...names: readonly LimitName[]): boolean {
    this.#refresh();
    return this.#bounds.some(({ values }) => names.some((name) => values[name] !== undefined));
  }

  #refresh(): void {
    if (this.#epoch === this.#limits.epoch) return;
    this.#epoch = this.#limits.epoch;
    const bounds = this.#limits.isEmpty ? NONE : this.#limits.boundsOf(this.#who);
    if (this.#isIn) {
      for (const { scope } of this.#bounds) scope.connections--;
      for (const { scope } of bounds) scope.connections++;
    }
    this.#bounds = bounds;
  }
}

/** How long a rate has to be waited for. */
export interface Wait {
  readonly rate: Rate;
  readonly waitMs: number;
}

/** The rate that has to be waited for the longest; undefined where none has to be. */
export function longestWait(rates: readonly Rate[]): Wait | undefined {
  let longest: Wait | undefined;
  for (const rate of rates) {
    const { waitMs } = rate;
    if (waitMs > (longest?.waitMs ?? 0)) longest = { rate, waitMs };
  }
  return longest;
}

/** Somebody has used up what a limit gives for now. */
export class RateExceeded extends BrokerError {
  /** How long until there is something again. */
  readonly waitMs: number;

  constructor({ code, reason, limit }: Throttle, waitMs: number) {
    super(code, `${reason}; wait for ${Math.ceil(waitMs / 1_000)} s`, { rule: limit && ruleOf(limit) });
    this.waitMs = waitMs;
  }
}

/** A limit as what decided. */
export function ruleOf(limit: string): string {
  return `limit ${limit}`;
}

/** The limits that hold for somebody: those that name it, and of those for everybody what these leave open. */
export function limitsFor(limits: readonly Limit[], who: Identity): Limit[] {
  const named = limits.filter((limit) => isNamed(limit) && isFor(limit, who));
  const said = new Set(named.flatMap(({ values }) => Object.keys(values)));
  const others = limits.filter((limit) => !isNamed(limit));
  for (const limit of others) {
    const left = Object.entries(limit.values).filter(([name]) => !said.has(name));
    if (left.length > 0) named.push({ ...limit, values: Object.fromEntries(left) });
  }
  return named;
}

const NONE: readonly never[] = [];
/** Doors whose clients may call themselves something else with each request. */
const DOORS_WITHOUT_IDS: readonly string[] = ['http'];
/** An epoch that no limits have. */
const OUTDATED = -1;

function isNamed({ user, group, client }: Limit): boolean {
  return user !== undefined || group !== undefined || client !== undefined;
}

function isFor(limit: Limit, { user, groups, clientId }: Identity): boolean {
  if (limit.user !== undefined && limit.user !== user) return false;
  if (limit.group !== undefined && !groups.includes(limit.group)) return false;
  return limit.client === undefined || limit.client === clientId;
}

/** What somebody is told from others by, where a limit is for each on its own. */
function ownKeyOf({ user, clientId, remote, door }: Identity): string {
  if (user !== undefined) return `user/${user}`;
  return clientId === '' || DOORS_WITHOUT_IDS.includes(door)
    ? `remote/${remote.replace(/:\d+$/, '')}`
    : `client/${clientId}`;
}
