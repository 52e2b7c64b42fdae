/** How well a part of the broker is: `warn` says that it works and that somebody should look at it. */
export type HealthStatus = 'pass' | 'warn' | 'fail';

export interface HealthCheck {
  status: HealthStatus;
  /** What is wrong, as a sentence; nothing where nothing is. */
  problem?: string;
  /** What was measured, with the unit in the name. */
  [measured: string]: string | number | undefined;
}

export interface HealthReport {
  /** The worst of all checks. */
  status: HealthStatus;
  checks: Readonly<Record<string, HealthCheck>>;
}

/** What tells how the broker is. Each part says it about itself, when somebody asks. */
export class Health {
  readonly #checks = new Map<string, () => HealthCheck>();
  #isStopping = false;

  add(name: string, check: () => HealthCheck): void {
    this.#checks.set(name, check);
  }

  /** The broker is about to end: nobody should be sent to it any more. */
  stop(): void {
    this.#isStopping = true;
  }

  /** Whether it can serve whoever is sent to it now. */
  get isReady(): boolean {
    return !this.#isStopping && this.read().status !== 'fail';
  }

  read(): HealthReport {
    const checks: Record<string, HealthCheck> = {};
    for (const [name, check] of this.#checks) checks[name] = check();
    if (this.#isStopping) checks.broker = { status: 'fail', problem: 'the broker is stopping' };
    const all = Object.values(checks).map(({ status }) => status);
    const status = WORST_FIRST.find((each) => all.includes(each)) ?? 'pass';
    return { status, checks };
  }
}

const WORST_FIRST: readonly HealthStatus[] = ['fail', 'warn'];
